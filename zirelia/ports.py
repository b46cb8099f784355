"""Every port in one module: what the workflows ask of the world. Adapters implement them; `studio` chooses.

Protocols and the small values that cross them, nothing else. Everything is synchronous; times are seconds; money is US dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pydantic import BaseModel

from zirelia.domain.box import Box
from zirelia.domain.budget import Cap, Spent
from zirelia.domain.calibration import Calibration
from zirelia.domain.dataset import Candidate, Dataset, Fault
from zirelia.domain.decision import Decision
from zirelia.domain.history import PastPost, Snapshot
from zirelia.domain.ledger import LedgerEntry
from zirelia.domain.lora import Checkpoint, Lora, WornLora
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief, Event, Post, PostState
from zirelia.domain.publication import Publication, Receipt
from zirelia.domain.reply import Mention, Reply, ReplyState
from zirelia.domain.results import Result
from zirelia.domain.shot import Attempt, ImagePrompt, MediaRef, Provenance, Shot, ShotVocabulary
from zirelia.domain.shotlist import Cell
from zirelia.domain.verdict import Criterion, Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

Schema = TypeVar("Schema", bound=BaseModel)


# ---- what every adapter can say of itself ----------------------------------------------------------------------------


@dataclass(frozen=True)
class BackendFacts:
    """For `zirelia doctor`: which backend and model stand behind a port, whether a call costs money or leaves the machine."""

    backend: str
    model: str
    local: bool
    paid: bool
    details: dict[str, str] = field(default_factory=dict)


class Describable(Protocol):
    def facts(self) -> BackendFacts: ...


# ---- language ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usage:
    """Tokens, money and time of one answer, retries included."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class ChatRequest:
    """One question. `images` are encoded pictures (PNG or JPEG) for vision models; `temperature` None means the model's own.

    `user` may hold text from outside: it is data, and the system prompt says so.
    """

    system: str
    user: str
    images: tuple[bytes, ...] = ()
    temperature: float | None = None
    max_tokens: int = 600
    seed: int | None = None


@dataclass(frozen=True)
class Answer(Generic[Schema]):
    """A validated answer, who gave it, what it took, and the raw text. beside: what was kept with an answer that means nothing
    without it, such as the list that a number points into.
    """

    value: Schema
    model: str
    usage: Usage
    raw: str
    beside: str | None = None


class Chat(Describable, Protocol):
    """A chat model. `vision` says whether it takes images."""

    @property
    def vision(self) -> bool: ...

    def ask(self, request: ChatRequest, schema: type[Schema]) -> Answer[Schema]:
        """The answer as `schema`. Asked again with the error at most twice, then BadAnswer; ProviderError otherwise."""
        ...


class Embedder(Describable, Protocol):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """L2-normalised vectors, shape [len(texts), dimension]."""
        ...


class LanguageIdentifier(Describable, Protocol):
    """Tells in which language a text is written."""

    def identify(self, text: str) -> tuple[str, float]:
        """The ISO 639-1 code of the likeliest language and how sure it is, 0 to 1."""
        ...


# ---- images ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MadeImage:
    """Encoded PNG or JPEG bytes and where they came from."""

    data: bytes
    media_type: str
    provenance: Provenance


class Progress(Protocol):
    """Told of progress inside one step: a fraction in [0, 1] and a short note such as "step 4 of 16"."""

    def __call__(self, fraction: float, note: str) -> None: ...


class ImageMaker(Describable, Protocol):
    """Makes pictures. Local ones are deterministic: same prompt value, same pixels."""

    def vocabulary(self) -> ShotVocabulary | None:
        """The words that the model can draw, when it is limited to some."""
        ...

    def size(self) -> tuple[int, int]:
        """Width and height that the backend prefers."""
        ...

    def estimate_usd(self, prompt: ImagePrompt) -> float: ...

    def can_inpaint(self) -> bool:
        """Whether `make` takes `within`."""
        ...

    def make(
        self,
        prompt: ImagePrompt,
        *,
        lora: Lora | None,
        beside: Sequence[WornLora] = (),
        start_from: bytes | None = None,
        within: Box | None = None,
        call: PaidCall,
        progress: Progress,
    ) -> MadeImage:
        """One picture. `beside` are further LoRAs worn with `lora`; `start_from` is an encoded picture for image-to-image, or
        with `within` for drawing that part of it anew: far from the part, every pixel stays as it was;
        `call` remembers the id of what was created, so that a resumed call polls instead of paying again. Raises
        ProviderError, MediaError or ConfigurationError.
        """
        ...


@dataclass(frozen=True)
class Edit:
    """A picture that is wanted of the subject of others.

    prompt: its text is the instruction for a model that reads words; seed and size count for every model.
    shot, yaw: the same wish as fields, for a model of a small world. references: encoded pictures, the first one is the
    subject; garments come last and are named in the instruction.
    """

    prompt: ImagePrompt
    cell: Cell
    references: tuple[bytes, ...]


class ImageEditor(Describable, Protocol):
    """Makes new pictures of the subject of given ones, without training."""

    def vocabulary(self) -> ShotVocabulary | None:
        """The words that the model can draw, when it is limited to some."""
        ...

    def size(self) -> tuple[int, int]:
        """Width and height that the backend prefers."""
        ...

    def most_references(self) -> int:
        """How many references one call takes."""
        ...

    def licence(self) -> str:
        """The terms under which its pictures may be used, as their records and the LoRA's card repeat them."""
        ...

    def estimate_usd(self, edit: Edit) -> float: ...

    def edit(self, edit: Edit, *, call: PaidCall, progress: Progress) -> MadeImage:
        """One picture; as `ImageMaker.make`. Raises MediaError for references that cannot be used."""
        ...


class PaidCall(Protocol):
    """The ledger row of the call in progress."""

    @property
    def external_id(self) -> str | None:
        """Set when an earlier try of the same call already created something at the provider."""
        ...

    def created(self, external_id: str) -> None:
        """Commits the provider's id before anything else happens."""
        ...


# ---- critic ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exhibit:
    """What the panel is given: one picture and all it is compared with.

    references: pictures of the persona; recent: perceptual neighbours, the chosen pictures of recent posts (id, picture).
    """

    image: Image
    shot: Shot
    brief: Brief
    persona: Persona
    prompt: ImagePrompt
    references: tuple[Image, ...]
    recent: tuple[tuple[int, Image], ...] = ()


class Instrument(Protocol):
    """Measures one or more criteria. May raise: the panel turns an error into `not_checked`."""

    @property
    def name(self) -> str: ...

    @property
    def criteria(self) -> frozenset[Criterion]: ...

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]: ...


class Panel(Protocol):
    def examine(self, exhibit: Exhibit) -> tuple[Finding, ...]: ...


@dataclass(frozen=True)
class Face:
    """One face in a picture. yaw: degrees that the head is turned, 0 towards the camera, positive towards the picture's right;
    None when it cannot be told. embedding: a unit vector. certainty: that it is a face, in the detector's own unit.
    """

    box: Box
    embedding: NDArray[np.float32]
    yaw: float | None = None
    certainty: float = 1.0


class FaceReader(Describable, Protocol):
    """Finds every face in a picture and measures whose it is."""

    @property
    def threshold(self) -> float:
        """The cosine of two embeddings from which two faces are one person's, for people in general."""
        ...

    def faces(self, image: Image) -> Sequence[Face]:
        """All faces, the largest first; none is an answer, not an error."""
        ...


@dataclass(frozen=True)
class KeptAnswer:
    """A vision model's answer to one question about one picture, kept so that nobody pays for it again."""

    model: str
    question: str
    raw: str
    cost_usd: float


class CriticMemory(Protocol):
    """What the critic need not measure or pay for twice. Keys are hashes of everything that decides the answer."""

    def calibration(self, key: str) -> Calibration | None: ...

    def keep_calibration(self, key: str, persona: str, calibration: Calibration) -> None:
        """Stores or replaces it."""
        ...

    def answer(self, key: str) -> KeptAnswer | None: ...

    def keep_answer(self, key: str, answer: KeptAnswer) -> None:
        """Stores it; the same key again changes nothing."""
        ...


@dataclass(frozen=True)
class Sighting:
    """What a recogniser sees in one picture.

    subjects: how many people; None when it cannot count. face: of the largest one, or the whole subject. embedding: its
    identity, a unit vector; None when no subject was found. attributes: what the picture shows → (value, how sure, 0-1),
    only of those that the recogniser reads reliably.
    """

    subjects: int | None
    face: Box | None
    embedding: NDArray[np.float32] | None
    attributes: dict[str, tuple[str, float]] = field(default_factory=dict)


class Recogniser(Describable, Protocol):
    """Tells people apart by their looks."""

    @property
    def threshold(self) -> float:
        """The cosine of two embeddings from which two pictures show the same person, for people in general."""
        ...

    def see(self, images: Sequence[Image]) -> Sequence[Sighting]: ...


@dataclass(frozen=True)
class Submission:
    """A picture that is to be curated: its name in messages, and pixels. `cell` is None for somebody's own folder."""

    name: str
    image: Image
    cell: Cell | None = None


@dataclass(frozen=True)
class Opinion:
    """What the curator found in one submission. Without faults it is fit to train on."""

    faults: tuple[Fault, ...]
    identity: float | None = None
    face: Box | None = None


class Curator(Describable, Protocol):
    """Looks at training pictures as a set."""

    def examine(
        self, submissions: Sequence[Submission], *, anchors: Sequence[Image] = (), side: int, progress: Progress
    ) -> Sequence[Opinion]:
        """One opinion a submission, in order. `anchors` are known pictures of the person: identity is held against them
        where there are some, else each submission against the middle of the others (leave-one-out); copies of an anchor are
        named. `side` is the shortest side that the training needs, in pixels. What cannot be measured is a fault
        NOT_CHECKED, never a pass.
        """
        ...


# ---- training ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingOrder:
    """What is to be trained: the dataset, the folder that its paths are relative to, and the folder for what comes out."""

    dataset: Dataset
    pictures: Path
    out: Path


class Trainer(Describable, Protocol):
    """Trains the LoRA of one face, here or at a provider. The same order again goes on where the last one stopped."""

    def estimate_usd(self, order: TrainingOrder) -> float: ...

    def cost_usd(self, order: TrainingOrder) -> float | None:
        """What the finished training of that order cost; None when the provider has not said."""
        ...

    def train(self, order: TrainingOrder, *, call: PaidCall, progress: Progress) -> tuple[Checkpoint, ...]:
        """Every checkpoint that was kept, earliest first, each a verified file under `order.out`. Raises ConsentRequired,
        TrainingError or ProviderError.
        """
        ...


class DatasetFolder(Protocol):
    """A dataset on disk while it is built: candidates, what was decided of them, and the finished dataset.

    Every write is whole or absent, and nothing is deleted: a picture that is not kept moves to `rejected/`.
    """

    @property
    def path(self) -> Path: ...

    def candidates(self) -> tuple[Candidate, ...]:
        """In the order of cell and number."""
        ...

    def add(self, candidate: Candidate, data: bytes) -> None:
        """Stores picture, then record: one without a record was never finished."""
        ...

    def settle(self, candidates: Sequence[Candidate]) -> None:
        """Writes what the curator found, and moves the pictures to where they belong."""
        ...

    def read(self, candidate: Candidate) -> bytes: ...

    def dataset(self) -> Dataset | None:
        """The finished dataset, if there is one. Raises DefinitionError for a damaged one."""
        ...

    def finish(self, dataset: Dataset) -> None:
        """Writes dataset.json, metadata.jsonl and a caption file beside each picture."""
        ...


# ---- channels ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Capabilities:
    """A channel's limits. Lengths are in the unit the platform counts: graphemes unless `counts` says otherwise.

    ai_label: whether the platform has a label of its own for what an AI made. caption_bytes: what the caption may have in UTF-8
    besides. image_side: most pixels a side. aspects: narrowest and widest shape, width over height.
    """

    caption_limit: int
    hashtag_limit: int
    alt_text_limit: int
    image_bytes_limit: int
    ai_label: bool
    counts: str = "graphemes"
    caption_bytes: int | None = None
    image_side: int = 2048
    aspects: tuple[float, float] | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that will be sent, fixed before anything is sent. `language` is the persona's, ISO 639-1."""

    publication_id: str
    post: Post
    caption: str
    alt_text: str
    image: bytes
    media_type: str
    sidecar: dict[str, object]
    hashtags: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True)
class Sending:
    """A publication on its way, as it is stored.

    begun: when the intent was stored; what the platform has of it is not older. created: what an earlier try had the platform
    make. keep: stores what the platform made, committed when it returns.
    """

    begun: datetime
    created: str | None = None
    keep: Callable[[str], None] = lambda _created: None


@dataclass(frozen=True)
class Uncertain:
    """The call may or may not have published; `reconcile` must look before anybody sends again."""

    because: str


@dataclass(frozen=True)
class Measured:
    """What a platform counts of one publication; None is what it does not tell."""

    at: datetime
    views: int | None = None
    likes: int | None = None
    comments: int | None = None
    shares: int | None = None
    saves: int | None = None


class Channel(Describable, Protocol):
    """One account on one platform."""

    @property
    def name(self) -> str: ...

    @property
    def settles_after(self) -> float:
        """Seconds after the intent from which `reconcile` may be believed when it finds nothing: until then the call may still
        be on its way, or the platform may not show it yet. 0 where nothing can be on its way.
        """
        ...

    def capabilities(self) -> Capabilities: ...

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        """Publishes. A second call with the same publication id publishes nothing and answers the first receipt, where
        the platform allows that. Raises ProviderError only when certainly nothing was published.
        """
        ...

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        """Reads the platform: the receipt when the publication is there, None when it certainly is not.
        Raises ProviderError when that cannot be known.
        """
        ...

    def measure(self, receipt: Receipt) -> Measured | None:
        """What became of it, as the platform counts it now; None where it tells nothing. Raises ProviderError."""
        ...


@dataclass(frozen=True)
class Heard:
    """Mentions, oldest first, and where to go on from the next time."""

    mentions: tuple[Mention, ...]
    cursor: str | None


class Inbox(Protocol):
    """A channel whose platform lets mentions be read and answered. Its `Channel` has these as well."""

    def mentions(self, persona: str, cursor: str | None) -> Heard:
        """What was said to the account since `cursor`; the latest few for None. Raises ProviderError."""
        ...

    def answer(self, reply: Reply, sending: Sending) -> Receipt | Uncertain:
        """Sends the reply. As `Channel.submit`."""
        ...

    def answered(self, reply: Reply, sending: Sending) -> Receipt | None:
        """As `Channel.reconcile`."""
        ...


# ---- what a platform shows of an account to everybody ------------------------------------------------------------------


@dataclass(frozen=True)
class ShownPost:
    """One post of an account's page, by its code. post: None when it was not read, for `because`."""

    code: str
    post: PastPost | None = None
    because: str = ""


class PublicAccount(Protocol):
    """An account as a visitor who is not logged in sees it. followers, posts: None where it does not show them."""

    @property
    def followers(self) -> int | None: ...

    @property
    def posts(self) -> int | None: ...

    def shown(self, *, limit: int, wanted: Callable[[str], bool]) -> Iterator[ShownPost]:
        """The first `limit` posts, newest first but for pinned ones, each read when it is asked for and `wanted` says so of its
        code. Raises ProviderError.
        """
        ...


class PublicAccounts(Protocol):
    """A platform's accounts, read without logging in, slowly."""

    @property
    def name(self) -> str: ...

    def handle(self, said: str) -> str:
        """The handle as the platform writes it. Raises ConfigurationError for what cannot be one."""
        ...

    def visit(self, handle: str) -> AbstractContextManager[PublicAccount]:
        """Raises MissingExtra and OfflineViolation at once; ProviderError when the block is entered."""
        ...


# ---- store -------------------------------------------------------------------------------------------------------------


class Media(Protocol):
    """Content-addressed files."""

    def put(self, data: bytes, media_type: str) -> MediaRef:
        """Stores once; the same bytes give the same ref. Raises MediaError when they are not that kind of picture."""
        ...

    def read(self, ref: MediaRef) -> bytes: ...

    def path(self, ref: MediaRef) -> Path: ...


@dataclass(frozen=True)
class PlannedSlot:
    """A slot that waits for its time; work on it begins at `opens`."""

    id: str
    persona: str
    due: datetime
    opens: datetime


@dataclass(frozen=True)
class Measurable:
    """A publication that is out. measured: the ages, in hours, at which it was looked at."""

    persona: str
    publication: Publication
    measured: frozenset[int]


class History(Protocol):
    """Posts of a persona's accounts that were not published here, and looks at those accounts."""

    def add_past(self, persona: str, post: PastPost, *, at: datetime) -> bool:
        """Keeps it; False when a post of that channel and code is kept already, which stays as it is."""
        ...

    def past(self, persona: str, *, limit: int) -> tuple[PastPost, ...]:
        """Newest first, of all channels."""
        ...

    def known_codes(self, persona: str, channel: str) -> frozenset[str]: ...

    def past_vectors(self, persona: str, embedder: str) -> dict[str, bytes]:
        """Code → vector that this embedder made."""
        ...

    def keep_past_vectors(self, persona: str, embedder: str, vectors: Mapping[str, bytes]) -> None:
        """By code, in place of another embedder's."""
        ...

    def forget_past(self, persona: str, channel: str) -> int:
        """Takes the posts and the looks away; how many posts there were."""
        ...

    def last_snapshot(self, persona: str, channel: str) -> Snapshot | None: ...

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        """In place of the last one."""
        ...

    def published_urls(self, persona: str, channel: str) -> tuple[str, ...]:
        """Addresses of what was published here on that channel."""
        ...


class Store(History, Protocol):
    """The tables. Each method is one transaction; writes of a post check its version and raise Conflict."""

    def add_post(self, post: Post, event: Event) -> Post:
        """Stores a new post (id 0) and its slot; the answer carries the id. Raises Conflict when the slot is taken."""
        ...

    def get_post(self, post_id: int) -> Post:
        """Raises NotFound."""
        ...

    def save_post(
        self,
        post: Post,
        *,
        expected_version: int,
        events: Sequence[Event] = (),
        decision: Decision | None = None,
        publication: Publication | None = None,
        slot: str | None = None,
    ) -> None:
        """Writes post, events, decision and publication together, and the job that the new state asks for. `slot` is a planned
        one that the post moves to. Raises Conflict when the stored version is not `expected_version` or the slot is planned no
        more, and NotFound.
        """
        ...

    def next_planned(self, persona: str, after: datetime) -> PlannedSlot | None:
        """The persona's first slot later than `after` for which nothing was begun."""
        ...

    def posts(
        self, *, persona: str | None = None, states: frozenset[PostState] | None = None, limit: int = 100
    ) -> tuple[Post, ...]:
        """Newest first."""
        ...

    def remembered(self, persona: str, *, but: int, limit: int) -> tuple[Post, ...]:
        """What is remembered of the persona's other posts, rejected ones left out, newest first: each with its chosen
        attempt alone, without verdicts. `but` is the id of the post at work.
        """
        ...

    def unremembered(self, persona: str, embedder: str, *, limit: int) -> tuple[Post, ...]:
        """Published posts of which no vector of that embedder is kept, newest first, without their attempts."""
        ...

    def remember(self, embedder: str, vectors: Sequence[tuple[int, bytes]], *, at: datetime) -> None:
        """Keeps a vector a post (float32, little-endian, length 1), in place of another embedder's; one that is kept already
        stays. Raises StoreError for a post that is not published, and NotFound; then nothing is kept.
        """
        ...

    def memories(self, persona: str, embedder: str, *, limit: int) -> tuple[tuple[int, bytes], ...]:
        """Post ids and vectors that this embedder made, newest first."""
        ...

    def recalled(self, ids: Sequence[int]) -> tuple[Post, ...]:
        """The posts of those ids, in their order, without their attempts; an unknown id is left out."""
        ...

    def story(self, persona: str, *, but: int) -> tuple[Post, ...]:
        """All posts that tell a part of a story, rejected ones left out, oldest first, without their attempts."""
        ...

    def add_reply(self, reply: Reply) -> Reply | None:
        """Stores the answer to a mention (id 0); None when that mention has one already."""
        ...

    def reply(self, reply_id: int) -> Reply: ...

    def replies(
        self, *, persona: str | None = None, states: frozenset[ReplyState] | None = None, limit: int = 100
    ) -> tuple[Reply, ...]:
        """Newest first."""
        ...

    def save_reply(self, reply: Reply, *, expected_version: int) -> None:
        """Raises Conflict when somebody else changed it meanwhile."""
        ...

    def inbox_cursor(self, persona: str, channel: str) -> str | None: ...

    def keep_inbox_cursor(self, persona: str, channel: str, cursor: str) -> None: ...

    def post_sent_as(self, channel: str, platform_id: str) -> int | None:
        """The post whose publication on that channel has that id of the platform."""
        ...

    def to_measure(self, since: datetime) -> tuple[Measurable, ...]:
        """All that went out since then, on any channel."""
        ...

    def add_result(self, result: Result) -> None:
        """Keeps a look; a second one at the same age changes nothing."""
        ...

    def results(self, persona: str, since: datetime) -> tuple[Result, ...]:
        """Looks at her publications since then, oldest first."""
        ...

    def decided(self, persona: str, since: datetime) -> tuple[tuple[Post, tuple[Decision, ...]], ...]:
        """Her posts with a brief since then, oldest first, without their attempts, each with what people decided."""
        ...

    def add_attempt(self, post_id: int, attempt: Attempt) -> None:
        """Appends an attempt with its findings; the same number twice is a Conflict."""
        ...

    def events(self, post_id: int) -> tuple[Event, ...]: ...

    def decisions(self, post_id: int) -> tuple[Decision, ...]: ...

    def taken_slots(self, persona: str) -> frozenset[str]: ...

    def publication(self, publication_id: str) -> Publication | None: ...

    def publications(self, post_id: int) -> tuple[Publication, ...]: ...

    def save_publication(self, publication: Publication) -> None: ...

    def sent(self, persona: str, channel: str, since: datetime) -> tuple[datetime, ...]:
        """When the persona's account on the channel was sent something, or may have been; oldest first."""
        ...

    def open_call(self, entry: LedgerEntry, caps: Sequence[Cap] = ()) -> PaidCall:
        """Writes the intent row (or finds the unfinished one with the same id) before anything is paid. In the same transaction
        it raises BudgetExceeded when the call would go beyond one of the caps.
        """
        ...

    def close_call(self, entry: LedgerEntry) -> None:
        """Writes the outcome, with the answer if there is one; keeps the external id that `created` stored."""
        ...

    def paid_answer(self, call_id: str) -> str | None:
        """What was answered, for a call that is done."""
        ...

    def spent(self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None) -> Spent:
        """What was charged or may have been, as the ledger has it; `since` is inclusive."""
        ...

    def ledger(
        self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None
    ) -> tuple[LedgerEntry, ...]: ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Held by one process at a time, released when it dies. Raises Conflict at once when another holds it."""
        ...

    def backup(self, target: Path) -> Iterator[tuple[str, int]]:
        """A consistent copy of database and media into the new or empty folder `target`; yields (name, bytes)."""
        ...


# ---- provenance --------------------------------------------------------------------------------------------------------


class Sealer(Protocol):
    """Makes the file that goes out: the right format and size, with what it is written into it."""

    def seal(self, image: bytes, *, post: Post, persona: Persona, limits: Capabilities) -> bytes:
        """A JPEG that the channel takes, and that says in its metadata that an AI made it. Raises MediaError when it cannot be
        made small enough.
        """
        ...


# ---- watching ----------------------------------------------------------------------------------------------------------


class Watcher(Protocol):
    """Told what happens while it happens, to show it to a person. Never decides anything."""

    def step(self, name: str, note: str = "") -> None:
        """A step began."""
        ...

    def progress(self, fraction: float, note: str) -> None: ...

    def note(self, text: str) -> None:
        """Something worth a line within the present step."""
        ...

    def done(self, note: str = "") -> None:
        """The present step ended well."""
        ...

    def failed(self, note: str) -> None:
        """The present step ended badly."""
        ...
