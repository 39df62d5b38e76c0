"""MLflow on a Pinyon store: a plugin for mlflow-skinny, found by its entry points (docs/mlflow.md).

    MLFLOW_TRACKING_URI=pinyon:// python train.py

Nothing of Pinyon imports this package; MLflow does.

    place        a URI's project, and what this process shares of it
    view         what the journals say, kept up to date in memory
    seen         one run as the records tell it
    metrics      points as MLflow's metrics
    experiments  in refs
    entities     the same as MLflow's classes
    writers      recorders of the runs that this process logs to
    tracking, logged_models, registry, artifacts: the stores that MLflow asks for
"""
