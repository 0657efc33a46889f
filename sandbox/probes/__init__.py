"""Direct questions that plans of several scenarios put to a submission."""
