"""DVC: a project that it finished is finished for us, and back.

Modules: `lock` (dvc.lock as nouns), `layout` (its YAML as DVC writes it), `hashes` (md5 of files and folders), `ignore`
(.dvcignore), `cache` (where the bytes of an md5 lie, and data of .dvc files back from there), `compose` (an entry from a
resolved stage), `runcache` (what DVC ran before), `adopt` (what DVC vouches for becomes attempts of ours, with `keep` for
their outs and `records` for the journal), `write` and `commit` (dvc.lock and DVC's cache from what is finished here).
Facts from DVC 3.67 (docs/FORMAT.md §12). Loaded only where a dvc.lock or a .dvc file is.
"""
