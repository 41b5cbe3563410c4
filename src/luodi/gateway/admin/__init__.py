"""The admin side of the gateway: people, sessions, reviews, and the API that they are used by.

people, passwords, sessions   who may sign in, and who has
reviews, contents             calls that wait for a person; content, the reading of which is itself recorded
table                         every path with the roles that may use it: the one place that says who may do what
access, asked                 who asks, from where, for what
app, endpoints                HTTP (Starlette), loaded with the first request
"""

from luodi.gateway.admin.people import People, Person
from luodi.gateway.admin.reviews import Reviews
from luodi.gateway.admin.sessions import Sessions

__all__ = ["People", "Person", "Reviews", "Sessions"]
