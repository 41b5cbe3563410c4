"""The gateway as a server of the Model Context Protocol (MCP): assistants use the release and the imported tools.

door      who may come in: keys, and the names under which this server may be asked for
offer     what is offered: tools and their schemas
server    the protocol, by the official SDK; each tool call is a call of the gateway and passes all its steps

`mcp`, the SDK, is imported only where `serve.mcp` is set.
"""

from luodi.gateway.mcp.door import PATH
from luodi.gateway.mcp.server import McpServer

__all__ = ["PATH", "McpServer"]
