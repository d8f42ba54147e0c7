import type { INetworkPolicyPeer } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPeer'
import type { INetworkPolicyPort } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPort'
import { hasLabels, type KubeObject, type Labels, ofKind } from './objects.ts'

/** Somebody who sends or receives: a pod of a namespace, or an address outside of the cluster. */
export interface Party {
  /** `undefined` for an address outside. */
  readonly namespace: string | undefined
  readonly labels: Labels
}

interface Selector {
  matchLabels?: Labels
  matchExpressions?: { key: string; operator: string; values?: string[] | null }[] | null
}

/**
 * Whether one party may open a TCP connection to a port of another, as the rendered NetworkPolicies
 * say: the sender's must let it out and the receiver's let it in, each where any policy selects them.
 */
export function mayReach(
  objects: readonly KubeObject[],
  from: Party,
  to: Party,
  port: number,
  protocol: 'TCP' | 'UDP' = 'TCP',
): boolean {
  const policies = ofKind(objects, 'NetworkPolicy').map(({ metadata, spec }) => ({
    namespace: metadata?.namespace,
    ...spec,
  }))
  const concerning = (party: Party, direction: 'Ingress' | 'Egress') =>
    policies.filter(
      ({ namespace, podSelector, policyTypes }) =>
        namespace === party.namespace &&
        selects(podSelector as Selector, party.labels) &&
        policyTypes?.includes(direction),
    )
  const out = concerning(from, 'Egress')
  const into = concerning(to, 'Ingress')
  const lets = (
    rule: { ports?: INetworkPolicyPort[] | null },
    peers: INetworkPolicyPeer[] | null | undefined,
    other: Party,
    home: string | undefined,
  ) =>
    (!peers || peers.some((peer) => isMeant(peer, other, home))) &&
    (!rule.ports ||
      rule.ports.some((one) => (one.protocol ?? 'TCP') === protocol && (one.port ?? port) === port))
  return (
    (out.length === 0 ||
      out.some(({ egress, namespace }) =>
        egress?.some((rule) => lets(rule, rule.to, to, namespace)),
      )) &&
    (into.length === 0 ||
      into.some(({ ingress, namespace }) =>
        ingress?.some((rule) => lets(rule, rule.from, from, namespace)),
      ))
  )
}

function isMeant(peer: INetworkPolicyPeer, party: Party, home: string | undefined): boolean {
  if (peer.ipBlock) throw new Error('ipBlock is not worked out here')
  if (party.namespace === undefined) return false
  const namespaceLabels = { 'kubernetes.io/metadata.name': party.namespace }
  const inNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector as Selector, namespaceLabels)
    : party.namespace === home
  return inNamespace && (!peer.podSelector || selects(peer.podSelector as Selector, party.labels))
}

function selects({ matchLabels, matchExpressions }: Selector, labels: Labels): boolean {
  return (
    hasLabels(labels, matchLabels) &&
    (matchExpressions ?? []).every(({ key, operator, values }) => {
      const value = labels[key]
      if (operator === 'Exists') return value !== undefined
      if (operator === 'DoesNotExist') return value === undefined
      const listed = value !== undefined && (values ?? []).includes(value)
      return operator === 'In' ? listed : !listed
    })
  )
}
