"""Forecast a series: from a table to windows, a model, its errors beside the baselines', and forecasts with times."""
