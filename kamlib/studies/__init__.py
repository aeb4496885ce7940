"""One module per question, numbers only; and the models behind them."""
