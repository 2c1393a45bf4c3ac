// The verdict: a sentence, four tiles, and where something shows, the frames that show it.
import {el, shown} from './format.js';

const TILES = {content: 'Content', identity: 'Identity', stolen_keys: 'Stolen keys', radio: 'Radio fingerprints'};
const STATES = {passed: 'passed', failed: 'failed', not_run: 'not run'};
// Of each weakness of scripts/demo --weak the check that shows it most plainly.
const PLAINEST = {'one-key-for-all': 'stolen_key_opens', 'null-cipher': 'ascii_run', 'repeated-nonce': 'xor_of_neighbours', 'plain-identities': 'code_repeats',
  'static-token': 'request_token_reuse', 'replayable-request': 'replayed_request_answered'};
const SHOWN_FINDINGS = 2;
const SIGN = {passed: '\u2713', failed: '\u2715', not_run: '\u2013'};

export class Verdict {
  constructor({title, tiles, alarm, alarmTitle, findings}, store, select) {
    Object.assign(this, {title, tiles, alarm, alarmTitle, findings, store, select, weak: null, last: {}});
    this.show({});
  }

  show(v) {
    this.last = v;
    const findings = this.list(v);
    this.title.textContent = this.sentence(v);
    this.tiles.replaceChildren(...Object.entries(TILES).map(([key, name]) => this.tile(name, v.tiles?.[key] ?? v[key])));
    this.store.flagged = new Set(findings.flatMap((f) => f.frames ?? []));
    this.alert(v, findings);
  }

  /** The plainest first. */
  list(v) {
    const findings = Array.isArray(v.findings) ? v.findings.slice(0, 20) : [];
    return findings.sort((a, b) => (b.check === PLAINEST[this.weak]) - (a.check === PLAINEST[this.weak]));
  }

  sentence(v) {
    if (!v.outcome) return 'Nothing is judged yet';
    const said = {opaque: 'So far an eavesdropper could read nothing', exposed: 'Exposed: an eavesdropper learns something', 'nothing proven': 'So far nothing is proven'}[v.outcome] ?? v.outcome;
    return shown(v.headline ?? said, 200);
  }

  tile(name, t) {
    const state = t?.state in STATES ? t.state : 'not_run';
    return el('div', {class: `tile ${state}`, 'data-tile': name}, el('p', {class: 'sign', 'aria-hidden': 'true'}, SIGN[state]), el('div', {}, el('h3', {}, name, ' ', el('span', {class: 'word'}, STATES[state])),
      el('p', {}, t?.sentence ? shown(t.sentence, 300) : 'Not judged yet.')));
  }

  setWeak(weak) {
    if (weak === this.weak) return;
    this.weak = weak;
    this.alert(this.last, this.list(this.last));
  }

  /** The red part: with a weakened UE it says what is weak, and as soon as the sniffer notices, with which frames. */
  alert(v, findings) {
    const exposed = v.outcome === 'exposed';
    document.body.classList.toggle('exposed', exposed);
    document.body.classList.toggle('weakened', Boolean(this.weak));
    this.alarm.hidden = !exposed && !this.weak;
    this.alarmTitle.textContent = exposed ? `Exposed${this.weak ? ` by the weakness \u201c${shown(this.weak, 40)}\u201d` : ''}: ${shown((this.weak && findings[0]?.reason) ?? v.reason ?? '', 300)}` :
      `These UEs are weakened on purpose: ${shown(this.weak ?? '', 40)}. The sniffer has not noticed yet.`;
    const all = exposed ? findings.map((f) => this.finding(f)) : [], more = all.slice(SHOWN_FINDINGS);
    this.findings.replaceChildren(...all.slice(0, SHOWN_FINDINGS), ...(more.length ? [el('details', {}, el('summary', {}, `${more.length} more findings`), more)] : []));
  }

  finding(f) {
    const frames = (f.frames ?? []).slice(0, 12);
    return el('div', {class: 'finding'}, el('p', {}, el('b', {}, shown(f.check, 40).replaceAll('_', ' ')), ' ', shown(f.reason, 400)),
      el('p', {class: 'chips'}, frames.map((id) => el('button', {type: 'button', class: 'small', 'data-frame': id, click: () => this.select(id)}, `frame ${id}`))));
  }
}
