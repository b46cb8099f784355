"""Training of the LoRA that carries a face, on diffusers and peft.

    from zirelia.training.plan import POCKET
    from zirelia.training.trainer import train_lora
    lora = train_lora(base, dataset, pictures, POCKET, out)

It knows no settings, no store and no world: folders, a dataset and a plan come in, one file goes out.
"""
