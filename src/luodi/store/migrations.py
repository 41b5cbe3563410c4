"""The database's schema, one numbered step after another. A step that has been released is never edited.

Money is kept in whole nano-dollars and times in whole milliseconds since 1970 (UTC), so that sums are exact on
every database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    select,
)

metadata = MetaData()

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


def m001_initial(connection: Connection) -> None:
    for table in (events, releases, channels, api_keys, records, reply_cache):
        table.create(connection)


MIGRATIONS = [m001_initial]


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
