/** Everything a plan can point out. Codes are API: never renamed or reused (R9.1). */
export type NoticeCode =
  | 'annotation-hides-hooks'
  | 'archive-without-version'
  | 'backup-is-another'
  | 'container-name-invalid'
  | 'detach-all'
  | 'detach-unparsable'
  | 'empty-command'
  | 'ephemeral-containers'
  | 'exec-container-missing'
  | 'exec-timeout-capped'
  | 'exec-timeout-unlimited'
  | 'exec-timeout-unparsable'
  | 'file-hides-hooks'
  | 'hook-status-unknown'
  | 'entry-matches-nothing'
  | 'hooks-skipped'
  | 'image-differs'
  | 'init-container-name-collision'
  | 'init-container-not-injected'
  | 'kubectl-reads-less'
  | 'object-passed-over'
  | 'lint-error'
  | 'on-error-unknown'
  | 'pod-not-in-cluster'
  | 'pod-not-restored'
  | 'pod-unreadable'
  | 'pods-without-label'
  | 'resource-modifier'
  | 'restart-policy-rules'
  | 'restore-failed'
  | 'restore-refused'
  | 'pods-missing'
  | 'restore-field-unknown'
  | 'restore-name-generated'
  | 'restore-without-phase'
  | 'retry-attempts-unparsable'
  | 'retry-delay-unparsable'
  | 'runner-limited'
  | 'sources-limited'
  | 'velero-gave-up'
  | 'velero-has-run'
  | 'velero-is-stopped'
  | 'wait-for-ready-unparsable'
  | 'wait-timeout-negative'
  | 'wait-timeout-unparsable'
  | 'wait-timeout-zero'
  | 'wave-unparsable';

/** Something about the plan, or about one pod of it, that its reader should know. */
export interface Notice {
  readonly code: NoticeCode;
  readonly namespace?: string;
  readonly pod?: string;
  readonly message: string;
}
