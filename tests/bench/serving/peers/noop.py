"""The yardstick: a Flask application that does nothing, under the same gunicorn configuration."""

from flask import Flask

application = Flask(__name__)


@application.post("/")
def nothing():
    return b'{"nothing": true}', 200, {"Content-Type": "application/json"}
