"""`make backtest`: the forecast against other ways to tell when stamps run out, on made-up companies.

Companies use stamps hour by hour on the true calendar. At many moments of each one's life the stamps are
taken to run out there, and each way is asked whether it would have told, and when.
"""
