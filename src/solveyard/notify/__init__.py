"""Telling people how jobs end: by a webhook, or by a command."""

from solveyard.notify.room import Notices as Notices
from solveyard.notify.room import View as View
from solveyard.notify.ways import Program as Program
from solveyard.notify.ways import Recipient as Recipient
from solveyard.notify.ways import Webhook as Webhook
