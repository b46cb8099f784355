"""Pages for people: one HTML file each that opens without a network, a script or another file.

    page = judgement_page(judgement, picture=lambda name: Image.open(folder / name), training=[("steps", "300")])
    path.write_text(page, encoding="utf-8")

They take values and pictures and give text; they know no model, no store and no terminal. All words in them are escaped, and
the page itself forbids everything but its own style and the pictures inside it.
"""
