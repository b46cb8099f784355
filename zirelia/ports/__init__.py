"""What the use cases ask of the world, as Protocols: adapters implement them; `studio` chooses.

    from zirelia.ports import Channel, Chat, Store

Protocols and the small values that cross them, nothing else, one module a topic; everybody outside imports them from here.
Everything is synchronous; times are seconds; money is US dollars.
"""

from __future__ import annotations

from zirelia.ports.calls import PaidCall, Progress
from zirelia.ports.channels import Capabilities, Channel, Heard, Inbox, Measured, Plan, Sending, Uncertain
from zirelia.ports.critic import CriticMemory, Exhibit, Instrument, KeptAnswer, Panel
from zirelia.ports.dataset import Curator, DatasetFolder, Opinion, Submission
from zirelia.ports.faces import Face, FaceReader, Recogniser, Sighting
from zirelia.ports.facts import BackendFacts, Describable
from zirelia.ports.history import History
from zirelia.ports.images import Edit, ImageEditor, ImageMaker, MadeImage
from zirelia.ports.language import Answer, Chat, ChatRequest, Embedder, LanguageIdentifier, Schema, Usage
from zirelia.ports.provenance import Sealer
from zirelia.ports.public_accounts import PublicAccount, PublicAccounts, ShownPost
from zirelia.ports.store import Measurable, Media, PlannedSlot, Store
from zirelia.ports.training import Trainer, TrainingOrder
from zirelia.ports.watching import Watcher

__all__ = [
    "Answer",
    "BackendFacts",
    "Capabilities",
    "Channel",
    "Chat",
    "ChatRequest",
    "CriticMemory",
    "Curator",
    "DatasetFolder",
    "Describable",
    "Edit",
    "Embedder",
    "Exhibit",
    "Face",
    "FaceReader",
    "Heard",
    "History",
    "ImageEditor",
    "ImageMaker",
    "Inbox",
    "Instrument",
    "KeptAnswer",
    "LanguageIdentifier",
    "MadeImage",
    "Measurable",
    "Measured",
    "Media",
    "Opinion",
    "PaidCall",
    "Panel",
    "Plan",
    "PlannedSlot",
    "Progress",
    "PublicAccount",
    "PublicAccounts",
    "Recogniser",
    "Schema",
    "Sealer",
    "Sending",
    "ShownPost",
    "Sighting",
    "Store",
    "Submission",
    "Trainer",
    "TrainingOrder",
    "Uncertain",
    "Usage",
    "Watcher",
]
