"""How a picture says what it is: the final JPEG, its XMP label, and the signature over both.

    jpeg = publishable_jpeg(png, description=caption, alt_text=alt, creator="Mira", max_bytes=limit)    # provenance.jpeg
    read_provenance(jpeg).made_by_ai                                                                  # provenance.xmp
    signed = Signer(certificate).sign(jpeg, manifest(post))                                           # provenance.signing
    examine(signed).state                                                                             # provenance.reading

Knows nothing of channels or tables.
"""
