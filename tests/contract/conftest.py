from uuid import uuid4

import pytest

from places import opened


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    """An empty place that machines share: a folder, and a bucket of a real S3 endpoint."""
    if request.param == "folder":
        return opened(str(tmp_path / "shared"))
    return opened(f"{request.getfixturevalue('bucket')}/{uuid4().hex}")
