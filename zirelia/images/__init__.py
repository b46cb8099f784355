"""Makers of pictures behind `ports.ImageMaker`: diffusers on this machine, Replicate, and the OpenAI images API.

    maker = DiffusersImageMaker(folder, PROFILES["pocket"])        # zirelia.images.flux
    maker = ReplicateImageMaker(token, "owner/name:version")       # zirelia.images.replicate
    maker = OpenAIImageMaker(key, "gpt-image-2")                   # zirelia.images.openai

Importing this package loads nothing heavy. Knows nothing of settings, personas, budgets or files of the store.
"""
