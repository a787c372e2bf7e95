"""A small feed-forward network: learnt by Adam (Kingma & Ba 2015) on pinball loss, written as ONNX and read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ratchet.contracts.forecaster import Floats

Singles = NDArray[np.float32]

BATCH: Final = 256
MOST_STEPS: Final = 1500
DECAY: Final = 1e-4
CLIP: Final = 5.0
_OPSET: Final = 17
_IR: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Weights and biases, layer by layer, and how inputs are put on one scale."""

    weights: tuple[Singles, ...]
    biases: tuple[Singles, ...]
    centre: Singles
    scale: Singles

    def answer(self, figures: Floats) -> Floats:
        """Answer every row."""
        layer = np.clip((figures.astype(np.float32) - self.centre) / self.scale, -CLIP, CLIP)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layer = np.maximum(layer @ weight + bias, 0)
        return np.asarray(layer @ self.weights[-1] + self.biases[-1], dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What is to be learnt: figures [row, figure], wanted values [row, step], which of those are there, which quantiles."""

    figures: Floats
    wanted: Floats
    there: NDArray[np.bool_]
    quantiles: tuple[float, ...]


def train(lesson: Lesson, *, hidden: Sequence[int], epochs: int, rate: float, rng: np.random.Generator) -> Network:
    """Learn every quantile of every step; the rate falls to nothing along half a cosine."""
    centre, scale = lesson.figures.mean(axis=0), lesson.figures.std(axis=0) + 1e-3
    inputs = np.clip((lesson.figures - centre) / scale, -CLIP, CLIP).astype(np.float32)
    outputs = lesson.wanted.shape[1] * len(lesson.quantiles)
    sizes = (inputs.shape[1], *hidden, outputs)
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in pairwise(sizes)]
    weights[-1] *= np.float32(0.1)
    biases = [np.zeros(size, np.float32) for size in sizes[1:]]
    adam = _Adam([*weights, *biases])
    batch = min(BATCH, len(inputs))
    steps = max(1, min(MOST_STEPS, epochs * (len(inputs) // batch)))
    order, at = rng.permutation(len(inputs)), 0
    for step in range(steps):
        if at + batch > len(order):
            order, at = rng.permutation(len(inputs)), 0
        rows, at = order[at : at + batch], at + batch
        gradients = _gradients(weights, biases, inputs[rows], _pull(lesson, rows))
        adam.move(gradients, rate=rate * 0.5 * (1 + np.cos(np.pi * step / steps)))
    return Network(
        weights=tuple(weights),
        biases=tuple(biases),
        centre=centre.astype(np.float32),
        scale=scale.astype(np.float32),
    )


class _Pull:
    """The slope of the pinball loss at given outputs."""

    def __init__(self, wanted: Singles, there: Singles, quantiles: Singles) -> None:
        self._wanted, self._there, self._quantiles = wanted[:, :, None], there[:, :, None], quantiles

    def __call__(self, outputs: Singles) -> Singles:
        answer = outputs.reshape(*self._wanted.shape[:2], -1)
        slope = np.where(self._wanted > answer, -self._quantiles, 1 - self._quantiles) * self._there
        return np.asarray((slope / self._wanted.size).reshape(len(outputs), -1), dtype=np.float32)


def _pull(lesson: Lesson, rows: NDArray[np.intp]) -> _Pull:
    return _Pull(
        lesson.wanted[rows].astype(np.float32),
        lesson.there[rows].astype(np.float32),
        np.array(lesson.quantiles, dtype=np.float32),
    )


def _gradients(weights: list[Singles], biases: list[Singles], inputs: Singles, pull: _Pull) -> list[Singles]:
    layers = [inputs]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        layers.append(np.maximum(layers[-1] @ weight + bias, 0))
    slope = pull(np.asarray(layers[-1] @ weights[-1] + biases[-1]))
    of_weights, of_biases = [], []
    for index in reversed(range(len(weights))):
        of_weights.append(np.asarray(layers[index].T @ slope))
        of_biases.append(np.asarray(slope.sum(axis=0)))
        if index:
            slope = np.asarray((slope @ weights[index].T) * (layers[index] > 0))
    return [*reversed(of_weights), *reversed(of_biases)]


class _Adam:
    def __init__(self, parameters: list[Singles]) -> None:
        self._parameters = parameters
        self._mean = [np.zeros_like(parameter) for parameter in parameters]
        self._square = [np.zeros_like(parameter) for parameter in parameters]
        self._count = 0

    def move(self, gradients: list[Singles], *, rate: float) -> None:
        self._count += 1
        for at, gradient in enumerate(gradients):
            mean, square, parameter = self._mean[at], self._square[at], self._parameters[at]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            size = np.sqrt(square / (1 - 0.999**self._count)) + 1e-8
            decay = DECAY * parameter if parameter.ndim == 2 else 0.0
            parameter -= np.float32(rate) * (mean / (1 - 0.9**self._count) / size + decay)


def to_onnx(network: Network) -> bytes:
    """Write the network as an ONNX graph `figures` → `quantiles`, the scaling of its inputs included."""
    from onnx import TensorProto, checker, helper, numpy_helper  # noqa: PLC0415 - half a second, paid only by who keeps a network

    constants = {"centre": network.centre, "scale": network.scale, "lowest": -CLIP, "highest": CLIP}
    nodes = [
        helper.make_node("Sub", ["figures", "centre"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "lowest", "highest"], ["layer_0"]),
    ]
    last = len(network.weights) - 1
    for index, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        constants |= {f"weight_{index}": weight, f"bias_{index}": bias}
        out = "quantiles" if index == last else f"sum_{index}"
        nodes.append(helper.make_node("Gemm", [f"layer_{index}", f"weight_{index}", f"bias_{index}"], [out]))
        if index < last:
            nodes.append(helper.make_node("Relu", [out], [f"layer_{index + 1}"]))
    sizes = {"figures": network.weights[0].shape[0], "quantiles": network.weights[-1].shape[1]}
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])] for name, size in sizes.items()
    )
    kept = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "network", inputs, outputs, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def from_onnx(content: bytes) -> Network:
    """Read back what `to_onnx` wrote."""
    from onnx import load_model_from_string, numpy_helper  # noqa: PLC0415 - see to_onnx

    kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in load_model_from_string(content).graph.initializer}
    count = sum(name.startswith("weight_") for name in kept)
    return Network(
        weights=tuple(kept[f"weight_{index}"] for index in range(count)),
        biases=tuple(kept[f"bias_{index}"] for index in range(count)),
        centre=kept["centre"],
        scale=kept["scale"],
    )
