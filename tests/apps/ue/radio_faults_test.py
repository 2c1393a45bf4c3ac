"""Programs on radios that stop, die or only receive."""
import json, os, tempfile, time

from tests.harness import sniffer, ue
from tests.harness.air import Air, scene
from tests.harness.cases import main
from tests.harness.files import json_lines, text_of, write
from tests.harness.process import run, wait

# UHD waits for a device that is gone; here longer than any test does.
CLOSING_MS = 100000


def test_a_ue_whose_radio_stops_goes_on():
    faults = ['{node: mary, kind: late_command, after_s: 0.7}', '{node: mary, kind: outage, after_s: 1.5, length_ms: 700}']
    with Air(scene(faults=faults)) as air, tempfile.TemporaryDirectory() as d:
        ue.configure(d, air)
        mary = ue.Ue(d, 'mary', '--data', 'none')
        wait(lambda: [e for e in mary.of('radio') if e['restarts'] == 2], programs=[mary])
        mary.stop()
        assert mary.of('stopped') and 'error' not in mary.of('stopped')[0]
        assert 'began again' in text_of(mary.log)


def test_a_ue_whose_radio_is_gone_ends_and_says_so():
    with Air(scene(faults=['{node: mary, kind: unplug, after_s: 1, length_ms: %d}' % CLOSING_MS])) as air, tempfile.TemporaryDirectory() as d:
        ue.configure(d, air)
        mary = ue.Ue(d, 'mary', '--data', 'none')
        begun = time.monotonic()
        assert mary.p.wait(CLOSING_MS / 1000 - 10) == 1, text_of(mary.log)
        assert time.monotonic() - begun < CLOSING_MS / 1000 - 10
        assert 'no samples' in mary.of('stopped')[0]['error'], mary.of('stopped')
        assert 'Traceback' not in text_of(mary.log) and text_of(mary.log).count('no samples') == 1, text_of(mary.log)


def leaps(source, *steps_ms):
    """Mary and John with a link; John's device time leaps, 3 s after each other. What Mary says after the last leap reaches John."""
    faults = ['{node: john, kind: clock_step, after_s: %d, step_ms: %s}' % (5 + 3 * i, ms) for i, ms in enumerate(steps_ms)]
    with Air(scene(faults=faults), 'max', start='100000') as air, tempfile.TemporaryDirectory() as d:
        ue.configure(d, air, source=source)
        both = mary, john = [ue.Ue(d, n, '--data', 'stdin') for n in ('mary', 'john')]
        wait(lambda: all(u.of('link_established') for u in both), programs=both)
        wait(lambda: len(john.of('time_jump')) == len(steps_ms), programs=both)

        def heard():
            mary.say('john after it')  # again where the air loses one
            time.sleep(0.2)
            return any(line.endswith('after it') for line in john.lines())
        wait(heard, programs=both)
        for u in both:
            u.stop()
        assert [round(e['seconds'] * 1000, 1) for e in john.of('time_jump')] == list(steps_ms), john.of('time_jump')
        assert not mary.of('time_jump') and not [e for u in both for e in u.of('link_lost') if e['reason'] == 'silence']


def test_a_ue_by_device_time_hears_again_when_its_time_is_right_again():
    leaps('gnss', 37, -37)


def test_a_ue_by_slss_keeps_its_link_when_its_time_leaps_back():
    leaps('slss', -3_600_000)


def test_a_ue_by_slss_keeps_its_link_when_its_time_leaps_ahead():
    leaps('slss', 3_600_003.3)


# At a leap the radio gives up what it has of the block that is being read (phy/radio): so long are the programs' blocks.
SNIFFER_BLOCK_S = 0.001
RECORD_BLOCK_S = 0.01


def leap_is_no_gap(recording, rate_hz, block_s):
    """What the radio gives up there may be missing, and nothing more."""
    segments = json.loads(text_of(recording + '.sigmf-meta'))['captures']
    missing = [s['core:global_index'] - segments[0]['core:global_index'] - s['core:sample_start'] for s in segments]
    assert missing == sorted(missing) and missing[-1] <= rate_hz * block_s and len(set(missing)) == len(segments), segments


def test_a_sniffer_by_device_time_hears_on_when_its_time_leaps_back():
    # By whole discovery periods and DFN cycles, so that what it is told of the pools still fits.
    with Air(scene(faults=['{node: live, kind: clock_step, after_s: 3, step_ms: -10240000}']), 'max', start='100000') as air, tempfile.TemporaryDirectory() as d:
        ue.configure(d, air)
        config = sniffer.configure(os.path.join(d, 's.yaml'), 2, 25, 'gnss')
        mary = ue.Ue(d, 'mary')
        rec = os.path.join(d, 'kept')
        ear = sniffer.Sniffer(air, os.path.join(d, 's.jsonl'), '--config', config, '--plain', '--record', rec)

        def heard():
            kinds = [e['event'] for e in ear.events()]
            return 'gap' in kinds and kinds[kinds.index('gap'):].count('discovery') > 10
        wait(heard, programs=[mary, ear])
        ear.stop()
        mary.stop()
        gap = ear.of('gap')[0]
        assert (gap['samples_lost'], gap['time_jump']) == (0, -10240 * 7680000), gap
        leap_is_no_gap(rec, 7.68e6, SNIFFER_BLOCK_S)
        live = [e['event'] for e in ear.events()]
        again = os.path.join(d, 'again.sigmf-meta')
        run('prose-sniffer', '--iq', rec + '.sigmf-meta', '--config', config, '--events', os.path.join(d, 'replay.jsonl'), '--annotate', again)
        replay = [e['event'] for e in json_lines(os.path.join(d, 'replay.jsonl'))]
        kept, read = ([a['core:sample_start'] for a in json.loads(text_of(f))['annotations'] if 'PSDCH' in a['core:label']]
                      for f in (rec + '.sigmf-meta', again))
        assert kept and set(kept) <= set(read), (kept, read)
        assert 'gap' not in replay and replay.count('discovery') >= live.count('discovery'), (replay.count('discovery'), live.count('discovery'))


def test_a_recording_is_as_long_as_asked_when_time_leaps():
    for step_ms in (-3_600_000, 3_600_000):
        fault = '{node: ear, kind: clock_step, after_s: 0.2, step_ms: %d}' % step_ms
        with Air(scene(faults=[fault]), 'max', start='100000') as air, tempfile.TemporaryDirectory() as d:
            rec = os.path.join(d, 'a')
            run('prose-iq', 'record', rec, '--device', air.device('ear'), '--duration', '0.5', '--rate', '1.92e6')
            n = os.path.getsize(rec + '.sigmf-data') / 8
            assert (0.5 - RECORD_BLOCK_S) * 1.92e6 <= n <= 0.5 * 1.92e6, (step_ms, n)
            leap_is_no_gap(rec, 1.92e6, RECORD_BLOCK_S)


LIMITS = 'bands: [{name: narrow, from_hz: 5.89e9, to_hz: 5.91e9, max_duty_cycle: %s, window_s: 1}]\n'


def test_a_ue_withholds_what_its_band_does_not_allow():
    """Discovery, SLSS and a set-up need more than 1 % of a second."""
    with Air() as air, tempfile.TemporaryDirectory() as d:
        ue.configure(d, air)
        write(os.path.join(d, 'limits.yaml'), LIMITS % 0.01)
        write(os.path.join(d, 'radio.yaml'), 'tx_limits: limits.yaml\n')
        log = os.path.join(d, 'sent.jsonl')
        mary = ue.Ue(d, 'mary', '--data', 'none', '--radio', os.path.join(d, 'radio.yaml'), '--tx-log', log)
        wait(lambda: [e for e in mary.of('radio') if e['withheld'] >= 20], programs=[mary])
        mary.stop()
        sent = sorted({e['subframe'] for e in json_lines(log)})
        assert sent and all(sum(s <= x < s + 1000 for x in sent) <= 10 for s in sent), sent
        assert text_of(mary.log).count('a duty cycle of 0.01 within 1 s: narrow') == 1, text_of(mary.log)


def test_a_replay_ends_at_the_limit_of_its_band():
    with Air() as air, tempfile.TemporaryDirectory() as d:
        write(os.path.join(d, 'limits.yaml'), LIMITS % 0.1)
        write(os.path.join(d, 'radio.yaml'), 'tx_limits: limits.yaml\ncenter_freq_hz: 5.9e9\n')
        rec = os.path.join(d, 'a')
        run('prose-iq', 'record', rec, '--device', air.device('ear'), '--duration', '0.3', '--rate', '1.92e6')
        replay = lambda *options: run('prose-iq', 'replay', rec, '--device', air.device('mouth'), '--radio', os.path.join(d, 'radio.yaml'), *options, code=None)
        ended = replay()
        assert ended.returncode == 1 and 'the rest is not sent: tx_limits allow a duty cycle of 0.1 within 1 s: narrow' in ended.stderr, ended
        refused = replay('--freq', '5.88e9')
        assert refused.returncode == 2 and 'in no band of tx_limits' in refused.stderr and refused.stderr.count('\n') == 1, refused


def test_recording_and_sniffing_need_no_transmitter():
    with Air() as air, tempfile.TemporaryDirectory() as d:
        device = air.device('ear') + ',receive_only=1'
        run('prose-iq', 'record', os.path.join(d, 'a'), '--device', device, '--duration', '0.2', '--rate', '1.92e6')
        run('prose-sniffer', '--device', device, '--duration', '0.2', '--events', os.path.join(d, 'events.jsonl'))
        assert json_lines(os.path.join(d, 'events.jsonl')), 'no summary'


def test_a_recording_keeps_what_came_before_the_radio_was_gone():
    with Air('faults: [{node: ear, kind: unplug, after_s: 0.5, length_ms: %d}]' % CLOSING_MS) as air, tempfile.TemporaryDirectory() as d:
        r = run('prose-iq', 'record', os.path.join(d, 'a'), '--device', air.device('ear'), '--duration', '60', '--rate', '1.92e6', code=1)
        assert 'no samples' in r.stderr and 'are kept' in r.stderr, r.stderr
        assert os.path.getsize(os.path.join(d, 'a.sigmf-data')) >= 4 * 0.4 * 1.92e6


if __name__ == '__main__':
    main(at_once=2)
