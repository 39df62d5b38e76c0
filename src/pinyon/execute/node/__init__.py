"""The supervisor's process: owns the attempts of one execution on one host. Starts fast, survives its driver.

Only the standard library and `pinyon.store` are imported here, in the syntax of Python 3.9.
"""
