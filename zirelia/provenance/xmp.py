"""The XMP packet that a published picture carries, and its reader.

    packet = xmp_packet(description="Tea on the roof. #lisbon", alt_text="A woman with tea", creator="Mira")
    read_xmp(packet).made_by_ai      # True

Its heart is IPTC's DigitalSourceType = trainedAlgorithmicMedia, which platforms and search engines read. Knows nothing of
JPEG files (see jpeg.py).
"""

from __future__ import annotations

import re
from xml.parsers import expat
from xml.sax.saxutils import escape

from zirelia.domain.value import Value
from zirelia.errors import MediaError

MADE_BY_AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CREATOR_TOOL = "Zirelia"
MAX_PACKET_BYTES = 65_502
"""What fits into one APP1 segment of a JPEG beside the name of the format."""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_IPTC_CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_FIELDS = {
    f"{_IPTC_EXT} DigitalSourceType": "digital_source_type",
    f"{_IPTC_EXT} AISystemUsed": "ai_system",
    f"{_IPTC_EXT} AISystemVersionUsed": "ai_system_version",
    f"{_DC} description": "description",
    f"{_IPTC_CORE} AltTextAccessibility": "alt_text",
    f"{_DC} creator": "creator",
    f"{_XMP} CreatorTool": "creator_tool",
}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TEMPLATE = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{rdf}">
  <rdf:Description rdf:about="" xmlns:dc="{dc}" xmlns:xmp="{xmp}" xmlns:Iptc4xmpCore="{core}" xmlns:Iptc4xmpExt="{ext}">
   <Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>{system}
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>
   <Iptc4xmpCore:AltTextAccessibility><rdf:Alt><rdf:li xml:lang="x-default">{alt_text}</rdf:li></rdf:Alt>\
</Iptc4xmpCore:AltTextAccessibility>
   <dc:creator><rdf:Seq><rdf:li>{creator}</rdf:li></rdf:Seq></dc:creator>
   <xmp:CreatorTool>{tool}</xmp:CreatorTool>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


class EmbeddedProvenance(Value):
    """What a picture's XMP says; None where it says nothing."""

    digital_source_type: str | None = None
    ai_system: str | None = None
    ai_system_version: str | None = None
    description: str | None = None
    alt_text: str | None = None
    creator: str | None = None
    creator_tool: str | None = None

    @property
    def made_by_ai(self) -> bool:
        return self.digital_source_type == MADE_BY_AI


def xmp_packet(*, description: str, alt_text: str, creator: str, ai_system: str = "", ai_system_version: str = "") -> bytes:
    """The packet, UTF-8. Characters that XML cannot hold are left out. Raises MediaError when it is too long for a JPEG.

    Args:
        ai_system, ai_system_version: what made the picture (IPTC 2025.1); an empty one is left out.
    """
    systems = {"AISystemUsed": ai_system, "AISystemVersionUsed": ai_system_version}
    packet = _TEMPLATE.format(
        rdf=_RDF,
        dc=_DC,
        xmp=_XMP,
        core=_IPTC_CORE,
        ext=_IPTC_EXT,
        source=MADE_BY_AI,
        system="".join(f"\n   <Iptc4xmpExt:{tag}>{_safe(text)}</Iptc4xmpExt:{tag}>" for tag, text in systems.items() if text),
        tool=CREATOR_TOOL,
        description=_safe(description),
        alt_text=_safe(alt_text),
        creator=_safe(creator),
    ).encode()
    if len(packet) > MAX_PACKET_BYTES:
        raise MediaError(
            f"the picture's label takes {len(packet)} bytes; {MAX_PACKET_BYTES} fit", hint="shorten caption or alt text"
        )
    return packet


def read_xmp(packet: bytes) -> EmbeddedProvenance:
    """The fields above, as elements or as attributes. Raises MediaError for XML that is broken or declares a document type."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(packet.strip(b"\x00 \t\r\n"), True)
    except (expat.ExpatError, ValueError) as error:
        raise MediaError(f"the picture's XMP cannot be read: {error}") from error
    return EmbeddedProvenance(**reader.found)


class _Reader:
    """Collects the wanted fields: the first entry of a list, else the text of the element itself."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._field: str | None = None
        self._parts: list[str] = []
        self._listed = False

    def refuse(self, *_: object) -> None:
        raise MediaError("the picture's XMP declares a document type, which XMP never does")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._field is None and name in _FIELDS:
            self._field, self._parts, self._listed = _FIELDS[name], [], False
        elif self._field is not None and name == f"{_RDF} li":
            self._keep()
            self._parts, self._listed = [], True
        if name == f"{_RDF} Description":
            for key, text in attributes.items():
                if key in _FIELDS:
                    self.found.setdefault(_FIELDS[key], text)

    def end(self, name: str) -> None:
        if self._field is not None and name == f"{_RDF} li":
            self._keep()
        elif self._field is not None and _FIELDS.get(name) == self._field:
            if not self._listed:
                self._keep()
            self._field = None

    def text(self, text: str) -> None:
        self._parts.append(text)

    def _keep(self) -> None:
        text = "".join(self._parts)
        if self._field is not None and (self._listed or text.strip()):
            self.found.setdefault(self._field, text)


def _safe(text: str) -> str:
    # a bare carriage return would come back as a line feed
    return escape(_NOT_XML.sub("", text), {"\r": "&#13;"})
