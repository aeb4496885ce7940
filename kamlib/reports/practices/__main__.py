"""Writes the generated pages of the notebooks anew."""

from kamlib.reports.practices.pages import write_pages

for path in write_pages():
    print(path)
