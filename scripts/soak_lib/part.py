"""One part of a soak: programs from their start to their end, with packets, faults and restarts between."""
import os, random, select, signal, socket, statistics, sys, time

from ..demo_lib.channel import FFT
from ..demo_lib.world import ENDS, LINKS, NAMES
from . import losses, odds, packets, state as kept
from .scene import cpu_s, scene, versions, was_unplugged

SUBCARRIER_HZ = 15e3
SLEEP_S = 0.01
SELDOM_S = 0.1            # wall: what need not be looked at each time
HEARD = ('sci', 'tb')     # what a packet needs, as the sniffer tells
SAVE_EVERY_S = 30         # wall
LATENCY_BIN_S = 5.0       # of air
STARTS_AGAIN_S = 1.0      # of air, after it ended
# A killed UE finds a mark up to 30 s ahead and is silent so long; then announcements, a set-up of half a second, and repetitions of both where they are lost.
LINKS_AGAIN_S = 90.0
LAST_S = 5.0              # of air after the last packet
SAID_OCTETS = 300         # of a program's log, at its end
STANDS_STILL_S = 120      # wall: no UE tells of anything any more
# Who is restarted in turn; None: nobody, so that Mary lives long enough to be unplugged; reference: whoever others follow, else Peter.
TURNS = (('peter', signal.SIGINT), ('mary', signal.SIGINT), ('peter', signal.SIGKILL), (None, None), ('mary', signal.SIGKILL), ('reference', signal.SIGINT))


class stopped(Exception):
    """What makes it senseless to go on: one line."""


class part:
    def __init__(self, state, folder, build, source, most_s, number):
        self.state, self.folder, self.source, self.most_s = state, folder, source, most_s
        self.options = state['options']
        self.scene = scene(self.options, folder, build, source, state['device_s'], number)
        self.entry = {'source': source, 'versions': versions(build), 'began': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'device_s': state['device_s'],
                      'air_s': 0.0, 'wall_s': 0.0, 'arrived': 0, 'heard': dict.fromkeys(HEARD, 0)}
        self.explainer = losses.explainer(LINKS, source == 'gnss', FFT[self.options['prb']] * SUBCARRIER_HZ)
        self.random = random.Random('%d.%d' % (self.options['seed'], number))
        self.number, self.begin = number, float(state['device_s'])
        self.now, self.own = self.begin, dict.fromkeys(NAMES, self.begin)   # air time, of all and of each UE
        self.running, self.since = set(), {}
        self.roles, self.leaving, self.starts_at, self.late = {}, set(), {}, set()
        self.turn, self.next_turn = 0, self.begin + self.options['restart_every']
        self.next_size = self.begin
        self.latencies, self.latency_end = [], self.begin + LATENCY_BIN_S
        self.base = state['air_s']
        self.weighed = self.begin                     # until when clear air is counted
        self.cpu, self.cpu_at, self.next_seldom = {}, self.begin, 0.0

    # --- from start to end ---
    def run(self, wants_stop, progress):
        began = time.monotonic()
        entry, parts = self.entry, self.state['parts']
        if parts and parts[-1]['versions'] != entry['versions']:
            print('soak: other versions than before: %s' % entry['versions'], file=sys.stderr)
        parts.append(entry)
        wall_before = self.state['wall_s']

        def account():
            entry['air_s'], entry['wall_s'] = self.now - self.begin, time.monotonic() - began
            self.state['air_s'], self.state['wall_s'] = self.base + entry['air_s'], wall_before + entry['wall_s']
        self.scene.prepare(self.number == 1)
        next_save = time.monotonic() + SAVE_EVERY_S
        try:
            self.scene.start()
            self.make_directions()
            while self.now < self.begin + self.most_s and not wants_stop():
                self.step(giving=True)
                account()
                progress(self)
                if time.monotonic() >= next_save:
                    next_save = time.monotonic() + SAVE_EVERY_S
                    self.save()
            until = self.now + LAST_S
            while self.now < until:
                self.step(giving=False)
            account()
        except stopped as e:
            kept.keep(self.state, 'wrong', str(e))
            account()
        finally:
            self.finish()
            account()
            self.save()

    def make_directions(self):
        self.directions = {}
        for a, b in ENDS:
            tx, to = self.scene.sockets[a, b], ('127.0.0.1', self.scene.ports[a, b])

            def send(octets, tx=tx, to=to):
                try:
                    tx.sendto(octets, to)
                except OSError:
                    pass  # the UE has just gone: then it never tells of this packet
            first = self.state['next'].get(a + '>' + b, 0)
            self.directions[a, b] = packets.direction(a, b, self.options['seed'], first, odds.EVERY_S, send)
        for s in self.scene.sockets.values():
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def step(self, giving):
        before = self.now
        self.read()
        seldom = time.monotonic() >= self.next_seldom
        if seldom:
            self.next_seldom = time.monotonic() + SELDOM_S
            self.hear()
            self.watch_programs()
        if giving:
            self.take_turns()
            for (a, _), d in self.directions.items():
                if a in self.running and a not in self.leaving:
                    d.give(self.now)
        if seldom:
            self.judge(everything=False)
            self.weigh_air(self.now - packets.JUDGED_AFTER_S)
            self.measure()
            self.explainer.forget(self.now)
        self.moved = time.monotonic() if self.now > before else getattr(self, 'moved', time.monotonic())
        if time.monotonic() - self.moved > STANDS_STILL_S:
            raise stopped('no UE told of anything for %d s' % STANDS_STILL_S)
        time.sleep(SLEEP_S)

    # --- what the programs tell ---
    def read(self):
        for n in NAMES:
            self.read_ue(n)
        ready = select.select(self.scene.sockets.values(), (), (), 0)[0]
        for (a, b), s in self.scene.sockets.items():
            for octets in arrivals(s) if s in ready else ():
                self.directions[b, a].arrived(octets)

    def hear(self):
        for line in self.scene.tails['sniffer', 'events'].lines():
            for kind in HEARD:
                self.entry['heard'][kind] += line.startswith(b'{"event":"%s"' % kind.encode())

    def read_ue(self, n):
        if (n, 'events') not in self.scene.tails:
            return
        for e in self.scene.tails[n, 'events'].read():
            self.explainer.event(n, e)
            if e['event'] == 'started':
                self.running.add(n)
                self.since[n] = self.explainer.air_time(n, e['t'])
            elif e['event'] == 'sync':
                self.roles[n] = e['role']
            elif e['event'] == 'data_tx':
                self.directions[n, e['peer']].taken(e['bytes'], self.explainer.air_time(n, e['t']))
            elif e['event'] == 'data_rx':
                self.directions[e['peer'], n].told(e['bytes'], self.explainer.air_time(n, e['t']))
        last = None
        for last in self.scene.tails[n, 'sent'].read():
            self.explainer.sent(n, last)
        if last:
            self.own[n] = max(self.own[n], self.explainer.air_time(n, last['t']))
            self.now = max(self.now, self.own[n])

    def watch_programs(self):
        for n in ('air', 'sniffer', *NAMES):
            if n in self.starts_at:
                if self.now >= self.starts_at[n]:
                    del self.starts_at[n]
                    self.scene.start_ue(n)
            elif self.scene.ended(n) is not None:
                self.program_ended(n)
        self.watch_links()

    def program_ended(self, n):
        code, want = self.scene.ended(n), self.scene.expected[n] if n in self.scene.expected else 0
        said = self.scene.log_of(n)[-SAID_OCTETS:] if n != 'air' else ''
        if n not in NAMES:
            raise stopped('%s ended with %s: %s' % (n, code, said))
        self.read()   # its last lines
        unplugged = self.was_unplugged(n, code)   # also where it was told to end before it noticed
        if not unplugged and (code != want or n not in self.leaving):
            kept.keep(self.state, 'wrong', '%s ended with %s (expected %s) at %.1f s: %s' % (n, code, want, self.now, said))
        if unplugged:
            self.count('restarts', n + ' unplugged')
        self.explainer.ended(n, self.own[n] - 0.1)
        self.forget_sizes_since(n, self.own[n])
        for (a, b), d in self.directions.items():
            if a == n:
                d.sender_ended()
            if b == n:
                d.receiver_ended()
        self.scene.forget_run(n)
        self.running.discard(n)
        self.leaving.discard(n)
        self.roles.pop(n, None)
        self.starts_at[n] = self.now + STARTS_AGAIN_S

    def was_unplugged(self, n, code):
        age = self.own[n] - self.since[n] if n in self.running else None
        return was_unplugged(self.options, n, code, self.scene.log_of(n)[-SAID_OCTETS:], age)

    def watch_links(self):
        for a, b in LINKS:
            since = max(self.since.get(a, self.now), self.since.get(b, self.now))
            alive = a in self.running and b in self.running
            late = alive and self.explainer.waits(a, b) and self.now > max(since, self.explainer.waits_since(a, b)) + LINKS_AGAIN_S
            if late and (a, b) not in self.late:
                kept.keep(self.state, 'wrong', 'no link of %s and %s within %d s, at %.1f s' % (a, b, LINKS_AGAIN_S, self.now))
            self.late = self.late | {(a, b)} if late else self.late - {(a, b)}

    # --- what the soak does ---
    def take_turns(self):
        if self.now < self.next_turn:
            return
        name, how = TURNS[self.turn % len(TURNS)]
        if name == 'reference':
            name = next((n for n, r in self.roles.items() if r == 'reference' and n != 'john'), 'peter')
        if name is not None and (name not in self.running or name in self.leaving):
            return  # as soon as it runs again
        self.next_turn = self.now + self.options['restart_every'] * self.random.uniform(0.8, 1.2)
        self.turn += 1
        if name is None:
            return
        self.count('restarts', '%s %s' % (name, 'killed' if how == signal.SIGKILL else 'ended'))
        self.explainer.leaves(name, self.now)
        self.leaving.add(name)
        self.scene.end(name, how)

    def count(self, what, key, n=1):
        self.state[what][key] = self.state[what].get(key, 0) + n

    # --- judging ---
    def judge(self, everything):
        for (a, b), d in self.directions.items():
            ready = list(d.open.values()) if everything else d.judged(self.now, self.explainer.waits(a, b))
            for p in ready:
                self.judge_one(a, b, p)
            while d.done:
                self.latency(*d.done.popleft())
            for w in d.wrong:
                kept.keep(self.state, 'wrong', w)
            d.wrong.clear()
            self.state['next'][a + '>' + b] = d.next

    def weigh_air(self, until):
        if until - self.weighed < losses.AIR_STEP_S:
            return
        for a, b in self.directions:
            end = kept.of_end(self.state, a + '>' + b)
            clear, exposed = self.explainer.air(a, b, self.weighed, until)
            end['clear_s'] += clear
            end['exposed_s'] += exposed
        self.weighed = until

    def judge_one(self, a, b, p):
        end, t = kept.of_end(self.state, a + '>' + b), p.given if p.taken is None else p.taken
        end['sent'] += 1
        windows = self.explainer.windows_at(a, b, t)
        for w in windows:
            end['exposed'][w] = end['exposed'].get(w, 0) + 1
        end['clear'] += not windows
        if p.changed:
            end['changed'] += 1   # told already
            return
        if p.arrived:
            end['arrived'] += 1
            self.entry['arrived'] += 1
            end['fits'] += not windows and p.came is not None and self.explainer.on_the_air(a, b, t, p.came) is not None
            return
        end['clear_lost'] += not windows
        why = self.explainer.cause(a, b, t)
        end['lost'][why or 'unexplained'] = end['lost'].get(why or 'unexplained', 0) + 1
        if why is None:
            kept.keep(self.state, 'unexplained', {'from': a, 'to': b, 'number': p.number, 'air_s': round(self.base + t - self.begin, 3), 't': t,
                                                  'part': self.number, 'taken': p.taken is not None, **self.explainer.context(a, b, t)})

    def latency(self, t, seconds):
        self.latencies.append(seconds)
        if t >= self.latency_end and self.latencies:
            s = kept.series(self.state['latency'].get(str(self.number), ()))
            ordered = sorted(self.latencies)
            s.add(self.base + t - self.begin, statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))])
            self.state['latency'][str(self.number)] = s.points
            self.latencies, self.latency_end = [], t + LATENCY_BIN_S

    def measure(self):
        if self.now < self.next_size:
            return
        self.next_size = self.now + self.options['sample_every']
        self.measure_cpu()
        for n in ('air', 'sniffer', *self.running):
            if n in self.starts_at or n in self.leaving or self.scene.ended(n) is not None:
                continue
            key = self.life(n)
            s = kept.series(self.state['sizes'].get(key, ()))
            try:
                s.add(round(self.base + self.now - self.begin, 1), *self.scene.sizes(n))
            except (OSError, KeyError):
                continue   # it ends just now
            self.state['sizes'][key] = s.points

    def life(self, n):
        return '%s %d.%d' % (n, self.number, self.scene.runs.get(n, 1))

    def forget_sizes_since(self, n, t):
        """Of one that had ended by itself then: while it closes its radio and writes its mark, files are open, and the air goes on without it."""
        if points := self.state['sizes'].get(self.life(n)):
            self.state['sizes'][self.life(n)] = [p for p in points if p[0] <= self.base + t - self.begin]

    def measure_cpu(self):
        """Adds up what each program used, since its start or the last time."""
        air, self.cpu_at = self.now - self.cpu_at, self.now
        for n, p in [*self.scene.processes.items(), ('soak', None)]:
            run = n, self.scene.runs.get(n, 1)
            try:
                used = cpu_s(p.pid) if p else sum(os.times()[:2])
            except OSError:
                continue   # it has ended
            sums = self.state['cpu'].setdefault(n, {'cpu_s': 0.0, 'air_s': 0.0})
            sums['cpu_s'] += used - self.cpu.get(run, 0.0 if p else used)
            sums['air_s'] += air
            self.cpu[run] = used

    # --- the end ---
    def save(self):
        self.state['device_s'] = int(self.now) + 10
        for k, n in self.explainer.told.items():
            self.count('told', k, n)
        self.explainer.told.clear()
        for o in self.explainer.odd:
            kept.keep(self.state, 'wrong', o)
        self.explainer.odd.clear()
        for n, runs in self.explainer.streams.items():
            ages = [[round((self.own[n] if end is None else end) - begin, 1) for begin, end in streams] for streams in runs]
            self.state['streams'].setdefault(n, {})[str(self.number)] = ages
        kept.save(self.folder, self.state)

    def finish(self):
        for n in NAMES:
            self.explainer.leaves(n, self.now)
            self.scene.expected[n] = 0
        before = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
        self.measure_cpu()
        codes = self.scene.stop()
        for s, h in before.items():
            signal.signal(s, h)
        for n, c in codes.items():
            if c == 0 or n in self.starts_at or n in self.leaving:
                continue
            if n in NAMES and self.was_unplugged(n, c):
                self.count('restarts', n + ' unplugged')
                self.explainer.ues[n].add('stream', None, self.own[n], self.now)   # since its last line it has been silent
            else:
                kept.keep(self.state, 'wrong', '%s ended with %s at the end of a part' % (n, c))
        if ('sniffer', 'events') in self.scene.tails:
            self.hear()   # its last lines
        self.judge_last()
        for n in ('sniffer', *NAMES):
            if n in self.scene.runs:
                self.scene.forget_run(n)
        for s in self.scene.sockets.values():
            s.close()


    def judge_last(self):
        self.explainer.judge(self.now)   # first: what has no cause explains no lost packet
        if hasattr(self, 'directions'):
            self.judge(everything=True)
            self.weigh_air(self.now)
            for d in self.directions.values():
                d.open.clear()


def arrivals(s):
    try:
        while True:
            yield s.recv(2000)
    except BlockingIOError:
        pass
    except OSError as e:
        print('soak: %s' % e, file=sys.stderr)
