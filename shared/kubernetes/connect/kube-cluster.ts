export interface KubeCluster {
  readonly name: string;
  /** Without a slash at the end. */
  readonly server: string;
  readonly caData?: string;
  readonly caFile?: string;
  readonly skipTLSVerify: boolean;
  readonly tlsServerName?: string;
  readonly proxyUrl?: string;
  /** In the cluster itself: no proxy leads there, whatever the environment says (R8.28). */
  readonly isInside?: true;
  /** What the cluster's extension `client.authentication.k8s.io/exec` tells credential plugins. */
  readonly execConfig?: unknown;
}
