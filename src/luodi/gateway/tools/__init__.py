"""Tools out of an OpenAPI file: operations of other systems that callers may use, listed and called over MCP.

document    reads the file; nothing in it leads outside
schema      what an operation takes, as JSON Schema; validation in bounded time
operation   an operation and the request that a call makes
tool        the call, and what may come back

Only operations of the allow-list exist, the host is that of the project file, and every call is a call of the gateway:
limited, guarded and recorded as any other.
"""

from luodi.gateway.tools.operation import Operation, Request
from luodi.gateway.tools.tool import Tool, open_tools

__all__ = ["Operation", "Request", "Tool", "open_tools"]
