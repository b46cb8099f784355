"""The embedded tiny Flux: an illustrated world of our own and a real diffusers pipeline trained on it.

    from zirelia.pocket import weights
    FluxPipeline.from_pretrained(weights.pipeline_dir())

It knows nothing of personas, posts or settings. It says nothing about photographs: the renderer, the captions
and the looks encoder share one vocabulary.
"""
