"""Every MessagePassing of the installed PyG: how to build it for local frames, or why that is refused.

`python tests/messages/pyg_table.py` writes docs/convolutions.md.
"""

import contextlib
import importlib
import inspect
import io
import pkgutil
import re
from pathlib import Path
from typing import NamedTuple

import torch
import torch_geometric.nn
from torch.nn import Linear, ModuleList, Sequential
from torch_geometric.nn import MessagePassing

DOCS = Path(__file__).resolve().parents[2] / "docs" / "convolutions.md"
W = 8  # numbers of a feature
NAMES = {"torch": torch, "Linear": Linear, "Sequential": Sequential, "ModuleList": ModuleList, "W": W}


class Accepted(NamedTuple):
    """Constructor arguments as they stand in the documentation, and what the convolution takes besides x.

    ``compiles``: whether it compiles to one graph; where not, PyG's own code breaks it.
    """

    arguments: str
    takes: tuple[str, ...] = ()
    compiles: bool = True

    def build(self, name: str) -> MessagePassing:
        return eval(f"made({self.arguments})", {**NAMES, "made": classes()[name]})


class Refused(NamedTuple):
    """Why, and constructor arguments that show it (None: it cannot be built here)."""

    why: str
    arguments: str | None

    build = Accepted.build


ONE_SENDER = "it needs every sender once, for its degree or its own update"
OWN_GRAPH = "it makes its own graph, or takes several; use EdgeConv with knn_graph"
NO_X = "it takes no features of points"
HETERO = "it takes dictionaries of several kinds of points"

TABLE: dict[str, Accepted | Refused] = {
    "AGNNConv": Refused(ONE_SENDER, "add_self_loops=False"),
    "APPNP": Refused(ONE_SENDER, "2, 0.1, add_self_loops=False"),
    "ARMAConv": Refused(ONE_SENDER, "W, W"),
    "CFConv": Refused(ONE_SENDER, "W, W, W, Linear(4, W), 2.0"),
    "CGConv": Accepted("(W, W), dim=3", ("edge_attr",)),
    "ChebConv": Refused(ONE_SENDER, "W, W, 2"),
    "ClusterGCNConv": Refused(ONE_SENDER, "W, W, add_self_loops=False"),
    "DNAConv": Refused(ONE_SENDER, "W, add_self_loops=False"),
    "DynamicEdgeConv": Refused(OWN_GRAPH, None),
    "EGConv": Refused(ONE_SENDER, "W, W, num_heads=2, add_self_loops=False"),
    "EdgeConv": Accepted("Linear(2 * W, W)"),
    "FAConv": Refused(ONE_SENDER, "W, add_self_loops=False"),
    "FastRGCNConv": Accepted("(W, W), W, num_relations=2", ("edge_type",)),
    "FeaStConv": Accepted("W, W, heads=2, add_self_loops=False"),
    "FiLMConv": Accepted("(W, W), W"),
    "FusedGATConv": Refused("it takes a graph in a compressed form of its own, and needs dgNN", None),
    "GATConv": Accepted("(W, W), W, heads=2, concat=False, add_self_loops=False, edge_dim=3", ("edge_attr",)),
    "GATEConv": Refused(ONE_SENDER, "W, W, 3"),
    "GATv2Conv": Accepted("(W, W), W, heads=2, concat=False, add_self_loops=False, edge_dim=3", ("edge_attr",)),
    "GCN2Conv": Refused(ONE_SENDER, "W, 0.1, add_self_loops=False"),
    "GCNConv": Refused(ONE_SENDER, "W, W, add_self_loops=False"),
    "GENConv": Accepted("(W, W), W, edge_dim=3", ("edge_attr",)),
    "GINConv": Accepted("Linear(W, W), train_eps=True"),
    "GINEConv": Accepted("Linear(W, W), edge_dim=3", ("edge_attr",)),
    "GMMConv": Accepted("(W, W), W, dim=3, kernel_size=2", ("edge_attr",)),
    "GatedGraphConv": Refused(ONE_SENDER, "W, 2"),
    "GeneralConv": Accepted("(W, W), W, in_edge_channels=3, attention=True", ("edge_attr",)),
    "GraphConv": Accepted("(W, W), W", ("edge_weight",)),
    "GravNetConv": Refused(OWN_GRAPH, None),
    "HANConv": Refused(HETERO, "W, W, (['a'], [('a', 'to', 'a')])"),
    "HEATConv": Refused(ONE_SENDER, "W, W, 1, 1, 2, 3, 2"),
    "HGTConv": Refused(HETERO, "W, W, (['a'], [('a', 'to', 'a')])"),
    "HypergraphConv": Refused("its edges join points to hyperedges, not to points", "W, W"),
    "LEConv": Accepted("(W, W), W", ("edge_weight",)),
    "LGConv": Refused(ONE_SENDER, ""),
    "LPAttLayer": Refused(NO_X, None),
    "LabelPropagation": Refused(NO_X, "2, 0.5"),
    "MFConv": Accepted("(W, W), W"),
    "MeshCNNConv": Refused("its points are the edges of a mesh, in an order", "W, W"),
    "MixHopConv": Refused(ONE_SENDER, "W, W, add_self_loops=False"),
    "NNConv": Accepted("(W, W), W, Linear(3, W * W)", ("edge_attr",)),
    "NeighborEmbedding": Refused(ONE_SENDER, "W, 4, 2.0"),
    "PANConv": Refused(ONE_SENDER, "W, W, 2"),
    "PDNConv": Refused(ONE_SENDER, "W, W, 3, 4, add_self_loops=False"),
    "PNAConv": Refused(ONE_SENDER, "W, W, ['mean'], ['identity'], torch.ones(5, dtype=torch.long)"),
    "PPFConv": Accepted("Linear(W + 4, W), add_self_loops=False", ("pos", "normal")),
    "PointGNNConv": Refused(ONE_SENDER, "Linear(W, 3), Linear(W + 3, W), Linear(W, W)"),
    "PointNetConv": Accepted("Linear(W + 3, W), add_self_loops=False", ("pos",)),
    "PointTransformerConv": Accepted("(W, W), W, add_self_loops=False", ("pos",)),
    "RGATConv": Refused(ONE_SENDER, "W, W, 2"),
    "RGCNConv": Accepted("(W, W), W, num_relations=2", ("edge_type",), compiles=False),
    "ResGatedGraphConv": Accepted("(W, W), W, edge_dim=3", ("edge_attr",)),
    "SAGEConv": Accepted("(W, W), W, aggr='max', project=True"),
    "SGConv": Refused(ONE_SENDER, "W, W, add_self_loops=False"),
    "SSGConv": Refused(ONE_SENDER, "W, W, 0.1, add_self_loops=False"),
    "SignedConv": Refused(OWN_GRAPH, "W, W, True"),
    "SimpleConv": Accepted("combine_root='sum'", ("edge_weight",)),
    "SparseLinear": Refused(NO_X, "W, W"),
    "SplineConv": Refused("it needs pyg-lib, which the Python package index does not have", None),
    "SuperGATConv": Refused(ONE_SENDER, "W, W, add_self_loops=False"),
    "TAGConv": Refused(ONE_SENDER, "W, W, 2"),
    "TransformerConv": Accepted("(W, W), W, heads=2, concat=False, edge_dim=3", ("edge_attr",)),
    "ViS_MP": Refused(ONE_SENDER, "2, W, 2.0, None, False"),
    "ViS_MP_Vertex": Refused(ONE_SENDER, "2, W, 2.0, None, False"),
    "WLConvContinuous": Accepted("", ("edge_weight",)),
}


def classes() -> dict[str, type[MessagePassing]]:
    """Every subclass of MessagePassing that PyG defines, by name."""
    found = {}
    for module in pkgutil.walk_packages(torch_geometric.nn.__path__, "torch_geometric.nn."):
        with contextlib.suppress(ImportError):
            loaded = vars(importlib.import_module(module.name)).values()
            found |= {c.__name__: c for c in loaded if inspect.isclass(c) and issubclass(c, MessagePassing)}
    return {
        name: c
        for name, c in sorted(found.items())
        if c is not MessagePassing and c.__module__.startswith("torch_geometric.")
    }


def document() -> str:
    """The table, in Markdown."""
    text = io.StringIO()
    print("# PyG's convolutions in local frames\n", file=text)
    print(
        "`InLocalFrames` and `in_local_frames` run convolutions of PyTorch Geometric (PyG) unchanged on features in "
        "local frames: every edge gets\nits own copy of the sender's features, transformed to the receiver's frame. A "
        f"convolution must therefore take a pair (senders, receivers).\nThe tables are for PyG "
        f"{torch_geometric.__version__} and features of W = {W} numbers. They are generated by "
        "`python tests/messages/pyg_table.py`,\nand the test suite checks every line. Compilation is checked with the "
        "backend `aot_eager`, which traces and differentiates but makes no kernels;\nwith the default backend, "
        "inductor, GATv2Conv and a network of GINConv are compared with eager execution.\n",
        file=text,
    )
    print("## Supported\n", file=text)
    print(
        "| convolution | constructor | further inputs | compiles to one graph (aot_eager) |\n|---|---|---|---|",
        file=text,
    )
    for name, entry in TABLE.items():
        if isinstance(entry, Accepted):
            whole = "yes" if entry.compiles else "no"
            print(f"| {name} | `{name}({entry.arguments})` | {', '.join(entry.takes)} | {whole} |", file=text)
    print("\n## Not supported\n\n| convolution | reason |\n|---|---|", file=text)
    for name, entry in TABLE.items():
        if isinstance(entry, Refused):
            print(f"| {name} | {entry.why} |", file=text)
    print(
        "\nThese convolutions can be rewritten with `TensorialMessagePassing` as the base class.",
        file=text,
    )
    return text.getvalue()


def without_version(text: str) -> str:
    """The document but for the version of PyG it was written with."""
    return re.sub(r"PyG [0-9.]+", "PyG", text)


if __name__ == "__main__":
    DOCS.write_text(document())
