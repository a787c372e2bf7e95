"""What is chosen at the top of each board, as label matchers."""

from typing import Final

W: Final = 'workload=~"$workload"'
T: Final = f'{W},track=~"$track"'
R: Final = f'{T},release=~"$release"'
EACH: Final = "{{track}} {{release}}"
