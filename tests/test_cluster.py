"""The fan-out goes to a cluster through joblib's own backends."""

import joblib

from kamlib.reports.render import Request, render

from books import small_book
from toy_notebooks import GOOD, write_notebook


def test_reports_are_made_on_a_local_dask_cluster(tmp_path):
    from dask.distributed import Client, LocalCluster

    place = small_book(tmp_path / "book")
    names = ("one", "two", "three")
    asked = tuple(str(write_notebook(tmp_path / f"{name}.ipynb", GOOD)) for name in names)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path) as cluster,
        Client(cluster),
        joblib.parallel_config("dask"),
    ):
        summary = render(Request(asked, str(place), "2026-Q3", out=tmp_path / "out", jobs=3))
    assert {o.name: o.status for o in summary.outcomes} == dict.fromkeys(names, "published")
