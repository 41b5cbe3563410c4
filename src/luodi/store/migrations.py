"""The database's schema, one numbered step after another. A step that has been released is never edited.

Money is kept in whole nano-dollars and times in whole milliseconds since 1970 (UTC), so that sums are exact on
every database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    insert,
    select,
)

metadata = MetaData()
_ROWID = BigInteger().with_variant(Integer, "sqlite")  # SQLite has no second tree for a key of this type

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("data", Text, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("name", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", "version"),
)

channels = Table(
    "channels",
    metadata,
    Column("name", String(100), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", "channel"),
    ForeignKeyConstraint(["name", "version"], ["releases.name", "releases.version"]),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("owner", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
)

records = Table(
    "records",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("release", String(120), nullable=False),
    Column("surface", String(40), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("data", Text, nullable=False),
)
Index("records_by_time", records.c.time_ms)

reply_cache = Table(
    "reply_cache",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("release", String(120), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("reply", Text, nullable=False),
)


# The log: every call and every admin action is a leaf of one Merkle tree (RFC 6962). See luodi.store.audit.
log = Table(
    "log",
    metadata,
    Column("seq", _ROWID, primary_key=True, autoincrement=False),  # place of the leaf in the tree, from 0
    Column("id", String(40), nullable=False, unique=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("kind", String(60), nullable=False),  # "call", or the admin action: "key.made", "release.promoted", …
    Column("actor", String(200), nullable=False),  # key id of a call, person of an action
    Column("subject", String(200), nullable=False),  # release of a call, object of an action
    Column("outcome", String(20), nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
    Column("body", Text),  # canonical JSON (RFC 8785), the leaf's data; NULL once retention has let it go
    Column("leaf", LargeBinary, nullable=False),  # SHA-256(0x00 || body)
)
Index("log_by_time", log.c.time_ms)

log_state = Table(
    "log_state",
    metadata,
    Column("only", Integer, primary_key=True),  # always 1
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # roots of the perfect subtrees, largest first, 32 bytes each
)

log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),  # C2SP signed note
    Column("anchors", Text, nullable=False),  # JSON: where it was put outside, and what came back
)

payloads = Table(
    "payloads",
    metadata,
    Column("id", String(40), primary_key=True),  # of the log's row
    Column("time_ms", BigInteger, nullable=False),
    Column("subject", String(200), nullable=False),  # whose content it is: the caller's `user`, or the key id
    Column("sealed", LargeBinary, nullable=False),
)
Index("payloads_by_time", payloads.c.time_ms)
Index("payloads_by_subject", payloads.c.subject)

# Keys of callers. Several secrets of one key are in force while it is rotated.
keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("team", String(100), nullable=False),
    Column("role", String(20), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
)

key_secrets = Table(
    "key_secrets",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("key_id", String(32), nullable=False),
    Column("expires_ms", BigInteger),
)

# What a key, a team or the whole project may use: scope is "key:ID", "team:NAME" or "project".
limits = Table(
    "limits",
    metadata,
    Column("scope", String(120), primary_key=True),
    Column("data", Text, nullable=False),  # JSON of luodi.gateway.ledger.Limits
)

# What they have used.
meters = Table(
    "meters",
    metadata,
    Column("scope", String(120), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),  # when the two buckets below were last brought up to date
    Column("requests_milli", BigInteger, nullable=False),
    Column("tokens_milli", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),  # days since 1970, UTC
    Column("day_nano_usd", BigInteger, nullable=False),
    Column("month", Integer, nullable=False),  # year * 12 + month, UTC
    Column("month_nano_usd", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("nano_usd", BigInteger, nullable=False),  # since the beginning
    sqlite_with_rowid=False,
)

# What calls in flight hold back, by the worker that runs them.
holds = Table(
    "holds",
    metadata,
    Column("scope", String(120), nullable=False),
    Column("worker", String(40), nullable=False),
    Column("nano_usd", BigInteger, nullable=False),
    Column("calls", Integer, nullable=False),
    PrimaryKeyConstraint("scope", "worker"),
    sqlite_with_rowid=False,
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", String(40), nullable=False),  # start of the process, so that a pid used again is not mistaken
    Column("slots", Text, nullable=False),  # file of the calls in flight
    Column("seen_ms", BigInteger, nullable=False),
)

# Calls that carried an Idempotency-Key: what came of them, for a day.
idempotency = Table(
    "idempotency",
    metadata,
    Column("id", String(64), primary_key=True),  # digest of the caller's key id and the header
    Column("time_ms", BigInteger, nullable=False),
    Column("asked", String(64), nullable=False),  # digest of path and body
    Column("worker", String(40), nullable=False),  # that answers it now; "" once it is answered
    Column("record", String(40), nullable=False),  # id of the log's row
    Column("sealed", LargeBinary),  # the response, under a key made of the record's payload: erased with it
)
Index("idempotency_by_time", idempotency.c.time_ms)


# Answers that may be given again. See luodi.gateway.cache.
cache_entries = Table(
    "cache_entries",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),  # never reused
    Column("key", String(64), nullable=False, unique=True),  # digest of who may share it, the release and the call
    Column("scope", String(64), nullable=False),  # the same without the question; "" if no other question may have it
    Column("release", String(120), nullable=False),
    Column("subject", String(200), nullable=False),  # whose call it answered, as in `payloads`
    Column("record", String(40), nullable=False),  # id of that call's row in the log
    Column("expires_ms", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),  # bytes
    Column("question", Text, nullable=False),  # as masked; "" without a scope
    Column("embedder", String(60), nullable=False),
    Column("vector", LargeBinary),  # of the question, float32
    Column("reply", LargeBinary, nullable=False),  # JSON
    sqlite_autoincrement=True,
)
Index("cache_by_scope", cache_entries.c.scope, cache_entries.c.seq)
Index("cache_by_time", cache_entries.c.expires_ms, cache_entries.c.size)
Index("cache_by_subject", cache_entries.c.subject)

cache_state = Table(
    "cache_state",
    metadata,
    Column("only", Integer, primary_key=True),  # always 1
    Column("epoch", BigInteger, nullable=False),  # raised when entries are erased: workers forget what they remember
)


# People who sign in to the pages and to the admin API.
people = Table(
    "people",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),  # that they sign in with
    Column("role", String(20), nullable=False),
    Column("team", String(100), nullable=False),
    Column("password", String(200), nullable=False),  # argon2id, in its own text form
    Column("created_ms", BigInteger, nullable=False),
    Column("disabled_ms", BigInteger),
    Column("failed", Integer, nullable=False),  # wrong passwords in a row
    Column("locked_until_ms", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
)
Index("sessions_by_person", sessions.c.person)

# Calls that wait for a person to decide, and what was decided.
reviews = Table(
    "reviews",
    metadata,
    Column("record", String(40), primary_key=True),  # id of the log's row
    Column("time_ms", BigInteger, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("data", Text, nullable=False),  # JSON: what was said about it
    Column("decision", String(20), nullable=False),  # "" while it waits
    Column("decided_ms", BigInteger),
    Column("reviewer", String(200), nullable=False),
)
Index("reviews_by_decision", reviews.c.decision, reviews.c.time_ms)

# Events on their way to webhooks, one row for each address; kept a while once delivered.
deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False),  # of the event; the same for all addresses and attempts
    Column("time_ms", BigInteger, nullable=False),
    Column("kind", String(60), nullable=False),
    Column("hook", String(100), nullable=False),  # name of the webhook in the project file
    Column("body", Text, nullable=False),  # JSON, as it is sent
    Column("attempts", Integer, nullable=False),
    Column("next_ms", BigInteger, nullable=False),  # when it is tried; also keeps it from being tried twice at once
    Column("done_ms", BigInteger),  # delivered, or given up
    Column("status", String(200), nullable=False),  # of the last attempt
)
Index("deliveries_waiting", deliveries.c.done_ms, deliveries.c.next_ms)

# Several releases at once: A/B tests, shadows, canaries. See luodi.gateway.experiment.
experiments = Table(
    "experiments",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("data", Text, nullable=False),  # JSON
)

tallies = Table(
    "tallies",
    metadata,
    Column("experiment", String(40), nullable=False),
    Column("arm", String(120), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("metric", String(40), nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("total", Double, nullable=False),
    Column("squares", Double, nullable=False),
    PrimaryKeyConstraint("experiment", "arm", "stage", "metric"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("record", String(40), primary_key=True),  # id of the call
    Column("time_ms", BigInteger, nullable=False),
    Column("good", Integer, nullable=False),
    Column("note", Text, nullable=False),
)

vault = Table(
    "vault",
    metadata,
    Column("scope", String(64), nullable=False),  # digest of owner and conversation
    Column("placeholder", String(100), nullable=False),  # "" for the conversation's own key
    Column("subject", String(200), nullable=False),  # whose content it is, as in `payloads`
    Column("expires_ms", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("scope", "placeholder"),
)
Index("vault_ends", vault.c.expires_ms)
Index("vault_subjects", vault.c.subject)

revocations = Table(
    "revocations",
    metadata,
    Column("digest", String(64), primary_key=True),  # of a release's bundle
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
)

# What is to be known of a release and does not keep it from being served.
flags = Table(
    "flags",
    metadata,
    Column("digest", String(64), nullable=False),  # of a release's bundle
    Column("time_ms", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("note", Text, nullable=False),
)
Index("flags_by_digest", flags.c.digest)


def m001_initial(connection: Connection) -> None:
    for table in (events, releases, channels, api_keys, records, reply_cache):
        table.create(connection)


def m002_gateway(connection: Connection) -> None:
    """The log, budgets and rotating keys. Rows of `events` and `records` from before stay where they are."""
    for table in (log, log_state, log_checkpoints, payloads, keys, key_secrets, limits, meters, holds, workers):
        table.create(connection)
    connection.execute(insert(log_state).values(only=1, size=0, frontier=b""))
    for old in connection.execute(select(api_keys)).mappings().all():
        kept = {k: v for k, v in old.items() if k != "secret_hash"}
        connection.execute(insert(keys).values(**kept, team=""))
        connection.execute(insert(key_secrets).values(secret_hash=old["secret_hash"], key_id=old["id"]))


def m003_idempotency(connection: Connection) -> None:
    idempotency.create(connection)


def m004_cache(connection: Connection) -> None:
    """Answers from before are not taken over: they do not say who may share them."""
    reply_cache.drop(connection)
    for table in (cache_entries, cache_state):
        table.create(connection)
    connection.execute(insert(cache_state).values(only=1, epoch=1))


def m005_admin(connection: Connection) -> None:
    for table in (people, sessions, reviews):
        table.create(connection)


def m006_webhooks(connection: Connection) -> None:
    deliveries.create(connection)


def m007_experiments(connection: Connection) -> None:
    for table in (experiments, tallies, feedback):
        table.create(connection)


def m008_vault(connection: Connection) -> None:
    vault.create(connection)


def m009_revocations(connection: Connection) -> None:
    for table in (revocations, flags):
        table.create(connection)


MIGRATIONS = [
    m001_initial, m002_gateway, m003_idempotency, m004_cache, m005_admin, m006_webhooks, m007_experiments, m008_vault,
    m009_revocations,
]  # fmt: skip


def migrate(connection: Connection) -> int:
    """Bring the schema up to date; returns the version it is at now.

    Raises:
        RuntimeError: the database was made by a newer Luodi.
    """
    schema_version.create(connection, checkfirst=True)
    row = connection.execute(select(schema_version.c.version)).first()
    version = row[0] if row else 0
    if version > len(MIGRATIONS):
        raise RuntimeError(f"schema {version} is newer than this Luodi knows ({len(MIGRATIONS)})")
    if version == len(MIGRATIONS):
        return version
    for step in MIGRATIONS[version:]:
        step(connection)
    if row:
        connection.execute(schema_version.update().values(version=len(MIGRATIONS)))
    else:
        connection.execute(schema_version.insert().values(version=len(MIGRATIONS)))
    return len(MIGRATIONS)
