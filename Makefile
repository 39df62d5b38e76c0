# Each target is a script of the same name in scripts/, where the work and its explanation stand.
VERBS := bench changelog check demo lock setup setup-dvc setup-examples setup-mlflow setup-services test

.PHONY: help clean $(VERBS)
help:
	@echo "make $(VERBS) clean" | tr ' ' '\n' | paste -s -d ' '

check demo test bench lock changelog setup-dvc setup-examples setup-mlflow: setup

$(VERBS):
	@scripts/$@

clean:
	rm -rf .venv .venv-dvc .venv-mlflow build dist .*_cache
