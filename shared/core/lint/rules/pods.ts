import { closest } from '../../closest.ts';
import { formatDuration, parseDurationMs } from '../../model/duration.ts';
import { hasExecContainer } from '../../model/pod.ts';
import { below, quote, some } from '../collect/place.ts';
import { placeholderInName } from '../collect/placeholder.ts';
import type { LintedExec, LintedPod } from '../collect/subjects.ts';
import { waveOf } from './entries.ts';
import type { Report, Rule } from './rule.ts';

/** Sidecars that are often listed before a pod's main container. */
const SIDECAR =
  /^(?:istio-proxy|linkerd-proxy|kuma-sidecar|vault-agent|daprd|consul-dataplane|consul-connect-envoy-sidecar|envoy|envoy-sidecar|(?:cloud-?sql|alloydb|gce|csql)-(?:auth-)?proxy|sqlproxy|cloudsql|oauth2?-proxy|fluent-?bit|fluentd|filebeat|promtail|vector-agent|otel-(?:agent|collector)|jaeger-agent|datadog-agent|aws-otel-collector|xray-daemon|kube-rbac-proxy|tailscale|wireguard)$/;
const SIDECAR_IMAGE =
  /(?:istio\/proxyv2|linkerd\/proxy|cloud-sql-proxy|cloudsql-docker\/gce-proxy|alloydb-auth-proxy|envoyproxy\/envoy|dapr\/daprd|oauth2-proxy|fluent-bit|promtail|filebeat|kube-rbac-proxy)(?:[:@]|$)/;
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/** Containers that are injected when a pod is created, so a manifest doesn't have them. */
const INJECTED = new Set(['istio-proxy', 'linkerd-proxy', 'vault-agent', 'daprd', 'consul-dataplane']);
const DEFAULT_EXEC_MS = 30_000;

const containerOf = ({ fields: { container } }: LintedExec, pod: LintedPod): string | undefined =>
  (typeof container?.value === 'string' && container.value) || pod.containers.find(({ init }) => !init)?.name;

const isInit = (pod: LintedPod, name: string): boolean =>
  pod.containers.some((container) => container.init && container.name === name) && !isTarget(pod, name);
const isTarget = ({ pod }: LintedPod, name: string): boolean => hasExecContainer(pod, name);

const nearest = ({ containers }: LintedPod, name: string): string | undefined =>
  closest(
    name,
    containers.flatMap((other) => (other.init ? [] : [other.name])),
  );

const msOf = (value: unknown): number | undefined => (typeof value === 'string' ? parseDurationMs(value) : undefined);

export const podRules: readonly Rule[] = [
  {
    id: 'container-missing',
    severity: 'error',
    on: 'exec',
    reason: 'A hook for a container that does not exist never runs, and holds up a Velero restore for ten minutes.',
    fix: "Name one of the pod's containers.",
    check({ fields: { container }, pods, title }, report) {
      const name = container?.value;
      if (container === undefined || typeof name !== 'string' || name === '') return;
      if (placeholderInName(name) !== undefined) return;
      const lacks = (pod: LintedPod) => !isTarget(pod, name) && !isInit(pod, name) && (pod.live || !INJECTED.has(name));
      // A name that a patch lacks may be in its base, unless it is nearly the same as one of the patch's names.
      const without = pods.filter((pod) => lacks(pod) && (!pod.isPart || nearest(pod, name) !== undefined));
      const [first] = without;
      if (first === undefined) return;
      const near = nearest(first, name);
      const hint = near === undefined ? '' : `; did you mean ${quote(near)}?`;
      report(
        container.place,
        `${title}: no container ${quote(name)} in ${some(without.map((pod) => pod.title))}${hint}`,
      );
    },
  },
  {
    id: 'container-not-named',
    severity: 'warning',
    on: 'exec',
    reason: "A hook that names no container is run in the pod's first one, whatever kubectl exec takes by default.",
    fix: 'Name the container (container, or the annotation container).',
    check({ fields: { container }, pods, title, place }, report) {
      if (typeof container?.value === 'string' && container.value !== '') return;
      for (const pod of pods) {
        const own = pod.containers.filter(({ init }) => !init);
        const [first] = own;
        if (first === undefined || own.length < 2) continue;
        const byDefault = pod.pod.metadata.annotations[DEFAULT_CONTAINER];
        const isSidecar = SIDECAR.test(first.name) || SIDECAR_IMAGE.test(first.image);
        if (!isSidecar && (byDefault === undefined || byDefault === first.name)) continue;
        const what = isSidecar ? 'a sidecar' : `and its default is ${byDefault}`;
        return report(
          place,
          `${title} names no container, and the first one of ${pod.title} is ${first.name}, ${what}`,
        );
      }
    },
  },
  {
    id: 'container-is-init',
    severity: 'error',
    on: 'exec',
    reason: 'An init container has ended before the pod is up: no command can be run in it.',
    fix: "Name one of the pod's own containers, or a sidecar (restartPolicy: Always).",
    check({ fields: { container }, pods, title }, report) {
      const name = container?.value;
      if (container === undefined || typeof name !== 'string') return;
      const where = pods.filter((pod) => isInit(pod, name)).map((pod) => pod.title);
      if (where.length > 0) report(container.place, `${title}: ${quote(name)} is an init container of ${some(where)}`);
    },
  },
  {
    id: 'wait-for-ready-without-probe',
    severity: 'info',
    on: 'exec',
    reason: 'A container without a readiness probe is ready as soon as it runs, so waiting for it says nothing.',
    fix: 'Give the container a readiness probe, or leave wait-for-ready out.',
    check(hook, report) {
      const field = hook.fields.waitForReady;
      if (field === undefined || (field.value !== true && field.value !== 'true')) return;
      const without = hook.pods.filter((pod) => {
        const name = containerOf(hook, pod);
        return pod.containers.some((container) => container.name === name && !container.hasReadinessProbe);
      });
      if (without.length === 0) return;
      report(
        field.place,
        `${hook.title}: its container has no readiness probe in ${some(without.map((pod) => pod.title))}`,
      );
    },
  },
  {
    id: 'exec-hook-in-job',
    severity: 'warning',
    on: 'exec',
    reason:
      "A Job's pod ends by itself, and Velero never restores one that has ended: the hook has no container to run in.",
    fix: "Put the hook on a pod that stays, or the work into the Job's own command.",
    check({ pods, place, title }, report) {
      const jobs = pods.filter(({ template }) => template === 'Job' || template === 'CronJob');
      if (jobs.length > 0 && jobs.length === pods.length) {
        report(place, `${title} is for the pods of ${some(jobs.map((pod) => pod.title))}, which end`);
      }
    },
  },
  {
    id: 'hook-on-unrestored-pod',
    severity: 'warning',
    on: 'pod',
    reason: 'Velero never restores mirror pods and pods that have finished, so their hooks never run.',
    fix: 'Take the hook away, or put it on a pod that is restored.',
    check({ pod, annotated }, report) {
      const [first] = annotated;
      if (pod.live || first === undefined || pod.neverRestored === undefined) return;
      const what = pod.neverRestored === 'mirror' ? 'a mirror pod' : 'a finished pod';
      report(first.place, `${pod.title} is ${what}: Velero doesn't restore it, and its hooks never run`);
    },
  },
  {
    id: 'pod-with-ephemeral-containers',
    severity: 'error',
    on: 'pod',
    reason:
      'Kubernetes refuses to create a pod that has ephemeral containers, so Velero can not restore one that was debugged.',
    fix: 'Take them out of the backup (restart the pod and back it up again), or out of the pod with a resource modifier.',
    check({ pod }, report) {
      if (pod.live || pod.ephemeral.length === 0 || pod.neverRestored !== undefined) return;
      const place = below(pod.place, 'spec', 'ephemeralContainers');
      report(
        place,
        `${pod.title} has ephemeral containers (${some(pod.ephemeral)}): Velero can't restore it, and its hooks never run`,
      );
    },
  },
  {
    id: 'restart-policy-rules-lost',
    severity: 'warning',
    on: 'pod',
    reason: 'Velero drops restartPolicyRules of the containers that it restores, without a word.',
    fix: "Don't rely on them after a restore, or set them again in the restored pods' workload.",
    check({ pod }, report) {
      const names = pod.containers.filter(({ hasRestartRules }) => hasRestartRules).map(({ name }) => name);
      if (pod.live || names.length === 0) return;
      report(below(pod.place, 'spec', 'containers'), `${pod.title}: restartPolicyRules of ${some(names)} are lost`);
    },
  },
  {
    id: 'wait-timeout-too-short',
    severity: 'warning',
    on: 'pod',
    reason: "A wait timeout covers the earlier hooks in the same container too: theirs and this one can't both hold.",
    fix: "Make the wait timeout longer than the earlier hooks' exec timeouts together.",
    check({ pod, lists, annotated }, report) {
      if (annotated.some(({ kind }) => kind === 'exec')) return;
      for (const { kind, entries } of lists) {
        // A wait begins when its wave opens (R3.44).
        const waves = Map.groupBy(entries, (entry) => (kind === 'RestoreHooks' ? waveOf(entry) : 0));
        for (const ofWave of waves.values())
          checkWaits(
            pod,
            ofWave.flatMap(({ execs }) => execs),
            report,
          );
      }
    },
  },
  {
    id: 'annotation-hides-hooks',
    severity: 'warning',
    on: 'pod',
    reason: "A pod's hook annotation hides all hooks of that kind that the Restore's spec or a hooks file has for it.",
    fix: 'Keep one of the two.',
    check({ pod, annotated, lists }, report) {
      for (const kind of ['exec', 'init'] as const) {
        const first = annotated.find((hook) => hook.kind === kind);
        if (first === undefined) continue;
        for (const list of lists) {
          const hidden = list.entries.filter(({ execs, inits }) => (kind === 'exec' ? execs : inits).length > 0);
          if (hidden.length === 0) continue;
          const source = list.kind === 'Restore' ? "the Restore's" : "the hooks file's";
          report(
            first.place,
            `the ${kind} hook of ${pod.title} hides ${source} ${some(hidden.map(({ title }) => title))}`,
          );
        }
      }
    },
  },
  {
    id: 'annotation-hides-annotation',
    severity: 'warning',
    on: 'pod',
    reason:
      "A restorehooks.io annotation hides Velero's here, while Velero itself runs its own: the pod is worked on twice.",
    fix: "Take Velero's annotations away, or ours.",
    check({ pod, annotated }, report) {
      for (const kind of ['exec', 'init'] as const) {
        const ours = annotated.find((hook) => hook.kind === kind && hook.origin === 'restorehooks');
        const hidden = annotated.find((hook) => hook.kind === kind && hook.origin === 'velero');
        if (ours && hidden) report(ours.place, `${pod.title} has ${kind} hooks of both restorehooks.io and velero.io`);
      }
    },
  },
  {
    id: 'velero-container-order',
    severity: 'info',
    on: 'pod',
    reason: 'Velero runs the hooks of a pod with several hooked containers in a random order of containers.',
    fix: 'Put hooks that depend on each other into one container, or run them with kubectl restorehooks apply.',
    check({ pod, lists, annotated }, report) {
      if (annotated.some(({ kind }) => kind === 'exec')) return;
      for (const { kind, execs } of lists) {
        const containers = new Set(execs.map((hook) => containerOf(hook, pod)));
        const last = execs.at(-1);
        if (kind !== 'Restore' || containers.size < 2 || last === undefined) continue;
        report(
          last.place,
          `${pod.title} has hooks in ${containers.size} containers: Velero leaves their order to chance`,
        );
      }
    },
  },
  {
    id: 'velero-continue-cancels',
    severity: 'info',
    on: 'exec',
    reason: 'In Velero a Continue hook that fails cancels the pending hooks of every pod, against its documentation.',
    fix: 'Run the hooks with kubectl restorehooks apply, where the failure stays in its hook.',
    check({ origin, fields: { onError }, place, title }, report) {
      if (origin !== 'velero' || onError?.value === 'Fail') return;
      report(onError?.place ?? place, `${title}: if it fails, Velero cancels the hooks of all other pods`);
    },
  },
];

function checkWaits(pod: LintedPod, execs: readonly LintedExec[], report: Report): void {
  const before = new Map<string, number>();
  for (const hook of execs) {
    const container = containerOf(hook, pod) ?? '';
    const earlier = before.get(container) ?? 0;
    const wait = hook.fields.waitTimeout;
    const waitMs = msOf(wait?.value);
    if (wait !== undefined && waitMs !== undefined && waitMs > 0 && earlier > 0 && waitMs <= earlier) {
      const may = Number.isFinite(earlier) ? `may take ${formatDuration(earlier)}` : 'have no limit';
      report(
        wait.place,
        `${hook.title}: waits ${quote(wait.value)}, but earlier hooks in container ${container} ${may}`,
      );
    }
    const execMs = msOf(hook.fields.execTimeout?.value) || DEFAULT_EXEC_MS;
    before.set(container, earlier + (execMs < 0 ? Number.POSITIVE_INFINITY : execMs));
  }
}
