import { BlockList, isIPv6 } from 'node:net'
import { hasLabels, type Json, list, type Objects, ofKind } from './objects.ts'

/** A pod in a namespace; an address outside the cluster has no namespace. */
export interface Party {
  readonly namespace: string | undefined
  readonly labels: Record<string, string>
  readonly address?: string
}

/**
 * Whether one party may open a connection to a port (`5432/TCP`) of another. The sender's policies
 * must allow it, and the receiver's; a party that no policy selects allows everything.
 */
export const mayReach = (objects: Objects, from: Party, to: Party, port: string) =>
  allows(objects, 'Egress', from, to, port) && allows(objects, 'Ingress', to, from, port)

function allows(objects: Objects, type: string, self: Party, other: Party, wanted: string) {
  const policies = ofKind(objects, 'NetworkPolicy')
    .filter(({ metadata }) => metadata.namespace === self.namespace)
    .map(({ spec }) => spec)
    .filter((spec) => spec.policyTypes.includes(type) && selects(spec.podSelector, self.labels))
  const isPeer = ({ ipBlock, namespaceSelector, podSelector }: Json) => {
    if (ipBlock) return other.address !== undefined && contains(ipBlock.cidr, other.address)
    if (other.namespace === undefined) return false
    const isInNamespace = namespaceSelector
      ? selects(namespaceSelector, { 'kubernetes.io/metadata.name': other.namespace })
      : other.namespace === self.namespace
    return isInNamespace && selects(podSelector ?? {}, other.labels)
  }
  const isPort = ({ port = Number.parseInt(wanted, 10), protocol = 'TCP' }: Json) =>
    `${port}/${protocol}` === wanted
  const isEmptyOr = (items: Json, test: (item: Json) => boolean) =>
    list(items).length === 0 || list(items).some(test)
  const rules = policies.flatMap((spec) => list(type === 'Egress' ? spec.egress : spec.ingress))
  return (
    policies.length === 0 ||
    rules.some(({ from, to, ports }) => isEmptyOr(to ?? from, isPeer) && isEmptyOr(ports, isPort))
  )
}

function contains(cidr: string, address: string): boolean {
  const [net = '', bits] = cidr.split('/')
  const block = new BlockList()
  block.addSubnet(net, Number(bits), isIPv6(net) ? 'ipv6' : 'ipv4')
  return block.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function selects({ matchLabels, matchExpressions }: Json, labels: Party['labels']): boolean {
  const areMet = list(matchExpressions).every(({ key, operator, values }) => {
    if (operator === 'Exists') return key in labels
    if (operator === 'In') return values.includes(labels[key])
    throw new Error(`${operator} is not supported`)
  })
  return areMet && hasLabels(labels, matchLabels)
}
