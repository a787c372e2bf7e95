"""The look-up as an MLflow model, served by `mlflow models serve`; without a signature, which is its fastest setting."""

import json
import sys
from pathlib import Path

import mlflow


class Lookup(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.answers = json.loads(Path(context.artifacts["answers"]).read_text())

    def predict(self, context, model_input, params=None):  # noqa: ARG002  # MLflow's signature
        rows = model_input.to_dict("records")
        return [{"weeks": self.answers[row["depot"]][row["target"]][: row["horizon"]]} for row in rows]


if __name__ == "__main__":
    answers, target = sys.argv[1:]
    mlflow.pyfunc.save_model(target, python_model=Lookup(), artifacts={"answers": answers}, pip_requirements=["mlflow"])
