"""Write the generated parts of the pages anew, check links between files, and list those to other sites.

python -m tools.dev.docs
"""

import sys

from tools.dev.docs.links import broken, external
from tools.dev.docs.pages import stale
from tools.dev.docs.summaries import ROOT


def main() -> int:
    """Exit code 1 if a link is broken."""
    for page, text in stale(ROOT / "docs").items():
        page.write_text(text, encoding="utf-8")
        print(f"written anew: {page.relative_to(ROOT)}")
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    faults = [fault for page in pages for fault in broken(page)]
    print(*faults, sep="\n", end="\n" if faults else "")
    elsewhere = sorted({link for page in pages for link in external(page)})
    print(f"{len(elsewhere)} links to other sites, which are not checked:", *elsewhere, sep="\n  ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
