"""Surfaces: each translates requests of one API to calls and replies to its responses, and does nothing else.

`SURFACES` maps a path to its surface; `luodi.gateway.app` walks it. A surface has no way to a model but
`Gateway.handle`. What needs no model is in `plain`.
"""

from luodi.gateway.surfaces.anthropic import Messages
from luodi.gateway.surfaces.base import Surface
from luodi.gateway.surfaces.chat import Chat
from luodi.gateway.surfaces.completions import Completions
from luodi.gateway.surfaces.embeddings import Embeddings
from luodi.gateway.surfaces.moderations import Moderations
from luodi.gateway.surfaces.responses import Responses

SURFACES: dict[str, type[Surface]] = {
    "/v1/chat/completions": Chat,
    "/v1/completions": Completions,
    "/v1/embeddings": Embeddings,
    "/v1/messages": Messages,
    "/v1/moderations": Moderations,
    "/v1/responses": Responses,
}

__all__ = ["SURFACES", "Chat", "Completions", "Embeddings", "Messages", "Moderations", "Responses", "Surface"]
