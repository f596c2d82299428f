"""The processing service [0049-0053]: calls by their serials, over a store; no transports, time is passed in.

How a hand-off goes::

    ConnectRequest -> service -> request_checks, quotas -> calls.CallTable --commit--> commits.Commits -> store
                                                              |                            |
                         offers.CallOffers <---- committed ---'                            |  not committed: undone,
                              |                                                            |  and told again later
                              v                                                            v  (uncommitted)
                         drivers -> signalling --events--> signalling_listener -> calls: a step of TRANSITIONS (states)
                                                                                  |
    DataRequest    -> service -> owners (whose call is it?) -> the encoded data   |
    ServiceEvent   -> service -> calls -----------------------------------------> mailboxes -> presence -> agent's link

A change is acted on once it is committed: replies, Connections and events go out from the callback. What has happened
outside can't be undone by a store that fails: it is applied again to the call as it is then.
"""
