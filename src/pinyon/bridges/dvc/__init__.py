"""DVC: a project that it finished is finished for us, and back.

Modules: `lock` (dvc.lock as nouns), `layout` (its YAML as DVC writes it), `hashes` (md5 of files and folders), `ignore`
(.dvcignore), `cache` (where the bytes of an md5 lie), `adopt` (what dvc.lock vouches for becomes attempts of ours),
`runcache` (what DVC ran before), `compose` (an entry from a resolved stage), `write` (dvc.lock from what is finished here).
Facts from DVC 3.67. Loaded only where a dvc.lock or a .dvc file is.
"""
