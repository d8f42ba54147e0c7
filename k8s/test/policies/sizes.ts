import { maxResidentMb } from '../../../tools/drills/src/resident-memory.ts'
import { find, type Json, list, type Objects, ofKind, podsOf } from '../objects.ts'
import { faults, type Policy } from './policy.ts'

const units: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
}

/** A quantity of Kubernetes, such as `500m` or `64Mi`, as a number. */
function toNumber(quantity: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+)(\w*)$/.exec(quantity) ?? []
  return Number(digits) * (units[unit] ?? Number.NaN)
}

/** A server is promised the memory that the drills have seen it use, and may use more. */
export const roomy: Policy = (objects) =>
  podsOf(objects)
    .filter(({ kind }) => kind === 'Deployment')
    .flatMap(({ where, name, pod }) => {
      const { requests, limits } = pod.containers[0].resources
      const needed = (name === 'auth' ? maxResidentMb.hashing : maxResidentMb.atRest) * 1e6
      return faults(where, {
        [`requests less than ${needed} bytes`]: !(toNumber(requests.memory) >= needed),
        'has no memory in reserve': !(toNumber(limits.memory) >= 1.25 * needed),
      })
    })

/**
 * An autoscaler adds pods while those it has are at most half busy: the rest is for the time until a
 * new pod serves. At its maximum it has more to offer than the pods that it began with.
 */
export const scalesInTime: Policy = (objects) =>
  ofKind(objects, 'HorizontalPodAutoscaler').flatMap(({ metadata: { name }, spec }) => {
    const { minReplicas, maxReplicas, metrics } = spec
    const sizes = sizesOf(objects, name)
    if (minReplicas === maxReplicas || !sizes) return []
    const share = list(metrics).find(({ resource }) => resource?.name === 'cpu')?.resource.target
    const target = (share?.averageUtilization / 100) * toNumber(sizes.requests.cpu)
    const limit = toNumber(sizes.limits.cpu)
    return faults(name, {
      [`aims at ${target} of ${limit} processors`]: !(target <= limit / 2),
      [`${maxReplicas} pods do less than ${minReplicas} busy ones`]: !(
        maxReplicas * target >
        minReplicas * limit
      ),
    })
  })

const sizesOf = (objects: Objects, name: string): Json =>
  find(objects, 'Deployment', name)?.spec.template.spec.containers[0].resources
