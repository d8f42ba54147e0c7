import type { ICluster } from '@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1/Cluster'
import type { IPrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule'
import type { IServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor'
import type { IMiddleware } from '@kubernetes-models/traefik/traefik.io/v1alpha1/Middleware'
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import type { IJob } from 'kubernetes-models/batch/v1/Job'
import type { IIngress } from 'kubernetes-models/networking.k8s.io/v1/Ingress'
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IContainer } from 'kubernetes-models/v1/Container'
import type { INamespace } from 'kubernetes-models/v1/Namespace'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'
import type { ISecret } from 'kubernetes-models/v1/Secret'
import type { IService } from 'kubernetes-models/v1/Service'

interface Kinds {
  Cluster: ICluster
  ConfigMap: IConfigMap
  Deployment: IDeployment
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler
  Ingress: IIngress
  Job: IJob
  Middleware: IMiddleware
  Namespace: INamespace
  NetworkPolicy: INetworkPolicy
  PodDisruptionBudget: IPodDisruptionBudget
  PrometheusRule: IPrometheusRule
  Secret: ISecret
  Service: IService
  ServiceMonitor: IServiceMonitor
  StatefulSet: IStatefulSet
}

/** What every object of Kubernetes has. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Labels
  }
}

export type Labels = Readonly<Record<string, string>>

/** All objects of a kind. */
export function ofKind<K extends keyof Kinds>(objects: readonly KubeObject[], kind: K): Kinds[K][] {
  return objects.filter((object) => object.kind === kind) as unknown as Kinds[K][]
}

/** A workload's pods: whose they are, their labels, what they run. */
export interface Pods {
  readonly kind: 'Deployment' | 'StatefulSet' | 'Job'
  readonly name: string
  readonly labels: Labels
  readonly spec: IPodSpec
}

/** The pods of all workloads. */
export function podsOf(objects: readonly KubeObject[]): Pods[] {
  return (['Deployment', 'StatefulSet', 'Job'] as const).flatMap((kind) =>
    ofKind(objects, kind).map(({ metadata, spec }) => ({
      kind,
      name: metadata?.name ?? '',
      labels: spec?.template?.metadata?.labels ?? {},
      spec: spec?.template?.spec as IPodSpec,
    })),
  )
}

/** The containers of all workloads, each with a name to report it by. */
export function containersOf(
  objects: readonly KubeObject[],
): { where: string; container: IContainer; pods: Pods }[] {
  return podsOf(objects).flatMap((pods) =>
    [...(pods.spec.initContainers ?? []), ...pods.spec.containers].map((container) => ({
      where: `${pods.kind} ${pods.name}, container ${container.name}`,
      container,
      pods,
    })),
  )
}

/** Whether labels have all that a selector names. */
export function hasLabels(labels: Labels | undefined, wanted: Labels | undefined): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => labels?.[key] === value)
}
