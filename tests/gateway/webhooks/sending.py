"""Sends what is in a store's outbox to one address, until it is killed.

python sending.py STORE URL SECRET
"""

import asyncio
import sys
from pathlib import Path

from luodi.gateway.webhooks import Hook, Sender
from luodi.gateway.webhooks.sign import secrets_of
from luodi.store import Store


async def main() -> None:
    hook = Hook("one", sys.argv[2], "127.0.0.1", secrets_of(sys.argv[3], "SECRET"))
    Sender(Store(Path(sys.argv[1])), {"one": hook}, every_s=0.02).start()
    print("sending", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
