"""Compares the outcomes that the answers report with the records in Kafka."""

import collections

# the kinds of outcomes, as a caller sees them

ACKED = 'acked'                 # with partition and offset
YES = 'yes'                     # an error, but Kafka has it
MAYBE = 'maybe'
NO = 'no'                       # or an error without results
CUT_NEW = 'cut'                 # no answer, on a new connection
CUT_KEPT = 'cut, kept'          # no answer, on a used connection
ODD = 'odd'                     # an answer that is none of these

Outcome = collections.namedtuple('Outcome', 'kind topic partition offset code',
                                 defaults=(None, None, None, None))

ABSENT = 'acknowledged, and absent'
ELSEWHERE = 'acknowledged at another place'
PRESENT = '"no", and present'
DOUBLE = 'duplicated'
CUT = 'cut on a new connection'
CUT_PRESENT = 'cut on a kept connection, and present'
SENSELESS = 'answers that make no sense'
STRANGE = 'in Kafka, and never sent'

FAULTS = (ABSENT, ELSEWHERE, PRESENT, DOUBLE, CUT, CUT_PRESENT, SENSELESS,
          STRANGE)


def compare(cases):
    """Returns the cases of each fault.

    A case is (value, outcome, places): the outcome that the answer reported
    for the value, and a list of (topic, partition, offset) in Kafka.
    """

    faults = {fault: [] for fault in FAULTS}

    for value, outcome, places in cases:
        for fault in faults_of(outcome, places):
            faults[fault].append((value, outcome, places))

    return faults


def faults_of(outcome, places):
    """Yields the faults of one value, which was found at these places."""

    if len(places) > 1:
        yield DOUBLE

    if outcome is None:
        yield STRANGE

    elif outcome.kind in (ACKED, YES) and not places:
        yield ABSENT

    elif outcome.kind == ACKED and not any(agree(outcome, place)
                                           for place in places):
        yield ELSEWHERE

    elif outcome.kind == NO and places:
        yield PRESENT

    elif outcome.kind == CUT_NEW:
        yield CUT

    elif outcome.kind == CUT_KEPT and places:
        yield CUT_PRESENT

    elif outcome.kind == ODD:
        yield SENSELESS


def agree(outcome, place):
    """Compares an outcome with a place.  The offset may be unknown (null)."""

    return (outcome[1:3] == place[:2]
            and outcome.offset in (None, place[2]))


def judge(answer, topics):
    """Returns the outcomes that an answer reports for messages to `topics`."""

    try:
        said = answer.json
        if answer.status == 200:
            entries = said if isinstance(said, list) else [said]
        elif said['status'] != answer.status:
            raise ValueError(said)
        elif 'results' in said:
            entries = said['results']
        else:
            return [Outcome(NO)] * len(topics)

        if [entry['topic'] for entry in entries] != topics:
            raise ValueError(said)

        return [verdict(entry) for entry in entries]

    except (ValueError, KeyError, TypeError):
        return [Outcome(ODD)] * len(topics)


def verdict(entry):
    if 'error' not in entry:
        return Outcome(ACKED, entry['topic'], entry['partition'],
                       entry['offset'])

    if entry['persisted'] not in (NO, MAYBE, YES):
        raise ValueError(entry)

    return Outcome(entry['persisted'], code=entry.get('code'))


def cut(used, count):
    """Returns the outcomes of messages whose connection ended early.

    It ended before an answer came.
    """

    return [Outcome(CUT_KEPT if used else CUT_NEW)] * count
