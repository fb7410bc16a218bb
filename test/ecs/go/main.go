// Drives every ECS operation of healthdns with the AWS SDK for Go and its waiters against the endpoint given.
// Fails on the first surprise.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

var ctx = context.Background()

// must ends the program unless the call succeeded.
func must[T any](output T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return output
}

// refused ends the program unless the call failed with the error code.
func refused[T any](code string, _ T, err error) {
	var apiError smithy.APIError
	if !errors.As(err, &apiError) || apiError.ErrorCode() != code {
		log.Fatalf("expected %s, got %v", code, err)
	}
}

func check(holds bool, what any) {
	if !holds {
		log.Fatalf("unexpected: %+v", what)
	}
}

func main() {
	keys := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
	})
	client := ecs.New(ecs.Options{
		BaseEndpoint: aws.String(os.Args[1]), Region: "us-east-1", Credentials: keys, RetryMaxAttempts: 1,
	})
	cluster := aws.String("go")

	created := must(client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: cluster})).Cluster
	check(aws.ToString(created.Status) == "ACTIVE", created)
	clusters := must(client.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{"go", "none"}}))
	check(len(clusters.Clusters) == 1 && aws.ToString(clusters.Failures[0].Reason) == "MISSING", clusters)
	check(len(must(client.ListClusters(ctx, &ecs.ListClustersInput{})).ClusterArns) >= 1, clusters)

	container := types.ContainerDefinition{
		Name: aws.String("web"), Image: aws.String("none"), Command: []string{"sleep", "600"},
		PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80)}},
	}
	register := &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("go"), ContainerDefinitions: []types.ContainerDefinition{container},
	}
	for revision := int32(1); revision <= 2; revision++ {
		definition := must(client.RegisterTaskDefinition(ctx, register)).TaskDefinition
		check(definition.Revision == revision, definition)
	}
	definition := must(client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("go")}))
	check(definition.TaskDefinition.Revision == 2, definition)
	pages := ecs.NewListTaskDefinitionsPaginator(client, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: aws.String("go"), MaxResults: aws.Int32(1),
	})
	found := 0
	for pages.HasMorePages() {
		found += len(must(pages.NextPage(ctx)).TaskDefinitionArns)
	}
	check(found == 2, found)
	families := must(client.ListTaskDefinitionFamilies(ctx, &ecs.ListTaskDefinitionFamiliesInput{}))
	check(families.Families[0] == "go", families)
	inactive := must(client.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("go:1")}))
	check(inactive.TaskDefinition.Status == types.TaskDefinitionStatusInactive, inactive)

	create := &ecs.CreateServiceInput{
		Cluster: cluster, ServiceName: aws.String("web"), TaskDefinition: aws.String("go"), DesiredCount: aws.Int32(2),
	}
	arn := must(client.CreateService(ctx, create)).Service.ServiceArn
	output, err := client.CreateService(ctx, create)
	refused("InvalidParameterException", output, err)
	describe := &ecs.DescribeServicesInput{Cluster: cluster, Services: []string{"web"}}
	stable := ecs.NewServicesStableWaiter(client, func(options *ecs.ServicesStableWaiterOptions) {
		options.MinDelay, options.MaxDelay = time.Second, time.Second
	})
	if err := stable.Wait(ctx, describe, time.Minute); err != nil {
		log.Fatal(err)
	}
	must(client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster, Service: arn, DesiredCount: aws.Int32(1)}))
	if err := stable.Wait(ctx, describe, time.Minute); err != nil {
		log.Fatal(err)
	}
	check(must(client.DescribeServices(ctx, describe)).Services[0].RunningCount == 1, describe)
	check(len(must(client.ListServices(ctx, &ecs.ListServicesInput{Cluster: cluster})).ServiceArns) == 1, cluster)

	tasks := must(client.ListTasks(ctx, &ecs.ListTasksInput{Cluster: cluster, ServiceName: aws.String("web")})).TaskArns
	check(len(tasks) == 1, tasks)
	task := must(client.RunTask(ctx, &ecs.RunTaskInput{Cluster: cluster, TaskDefinition: aws.String("go")})).Tasks[0]
	ofTask := &ecs.DescribeTasksInput{Cluster: cluster, Tasks: []string{aws.ToString(task.TaskArn)}}
	if err := ecs.NewTasksRunningWaiter(client).Wait(ctx, ofTask, time.Minute); err != nil {
		log.Fatal(err)
	}
	must(client.StopTask(ctx, &ecs.StopTaskInput{Cluster: cluster, Task: task.TaskArn, Reason: aws.String("enough")}))
	if err := ecs.NewTasksStoppedWaiter(client).Wait(ctx, ofTask, time.Minute); err != nil {
		log.Fatal(err)
	}
	stopped := must(client.DescribeTasks(ctx, ofTask)).Tasks[0]
	check(stopped.StopCode == types.TaskStopCodeUserInitiated && aws.ToString(stopped.StoppedReason) == "enough", stopped)

	tags := []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}, {Key: aws.String("c"), Value: aws.String("d")}}
	must(client.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: arn, Tags: tags}))
	must(client.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"c"}}))
	left := must(client.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: arn})).Tags
	check(len(left) == 1 && aws.ToString(left[0].Key) == "a", left)

	deleted := must(client.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: cluster, Service: arn, Force: aws.Bool(true)}))
	check(aws.ToString(deleted.Service.Status) == "DRAINING", deleted)
	if err := ecs.NewServicesInactiveWaiter(client).Wait(ctx, describe, time.Minute); err != nil {
		log.Fatal(err)
	}
	must(client.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: cluster}))
	fmt.Println("done")
}
