"""The table of operators: what a graph may be made of here."""

from collections.abc import Mapping

from loquent.graphs.convolution import CONVOLUTIONS
from loquent.graphs.elementwise import ELEMENTWISE, Made
from loquent.graphs.indexing import INDEXING
from loquent.graphs.links import CHAINS
from loquent.graphs.maps import MAPS
from loquent.graphs.products import PRODUCTS
from loquent.graphs.reductions import REDUCTIONS
from loquent.graphs.shapes import SHAPES

OPERATORS: Mapping[str, Made] = {
    **ELEMENTWISE,
    **SHAPES,
    **INDEXING,
    **REDUCTIONS,
    **PRODUCTS,
    **CONVOLUTIONS,
    **MAPS,
    **CHAINS,
}
RANDOM = ("RandomNormalLike",)  # what is drawn anew with each run
