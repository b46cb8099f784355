"""How a picture says what it is: the final JPEG, its XMP label, and the visible line.

    jpeg = publishable_jpeg(png, description=caption, alt_text=alt, creator="Mira", max_bytes=limit)    # provenance.jpeg
    read_provenance(jpeg).made_by_ai                                                                  # provenance.xmp
    disclosure_line(persona)                                                                          # provenance.disclosure

Knows nothing of channels or tables.
"""
