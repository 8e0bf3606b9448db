"""PostgreSQL and Redis as child processes of one owner, for machines where no server is given. Holds no schema.

Only `octaudit up` and the tests own the servers (``embedded_servers``); everybody else reads their addresses
(``read_addresses``) and never starts or stops them.
"""

from core.database.embedded.addresses import Addresses, read_addresses
from core.database.embedded.servers import RunningServers, embedded_servers, is_owned, running_servers

__all__ = ["Addresses", "RunningServers", "embedded_servers", "is_owned", "read_addresses", "running_servers"]
