"""A fitted Prophet that predicts in each request, in Flask under the same gunicorn: no log, no limits, no key."""

import logging

import numpy as np
import pandas as pd
from flask import Flask, request
from prophet import Prophet

logging.getLogger("cmdstanpy").setLevel(logging.WARNING)
WEEKS = 104
history = pd.DataFrame(
    {
        "ds": pd.date_range("2024-11-10", periods=WEEKS, freq="W-SUN"),
        "y": 50 + 10 * np.sin(np.arange(WEEKS) * 2 * np.pi / 52) + np.random.default_rng(7).normal(0, 3, WEEKS),
    }
)
model = Prophet(weekly_seasonality=False, daily_seasonality=False)
model.fit(history)
application = Flask(__name__)


@application.post("/")
def predict():
    future = model.make_future_dataframe(periods=request.get_json()["horizon"], freq="W-SUN", include_history=False)
    weeks = model.predict(future)[["ds", "yhat", "yhat_lower", "yhat_upper"]]
    return weeks.to_json(orient="records", date_format="iso"), 200, {"Content-Type": "application/json"}
