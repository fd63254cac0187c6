using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class NodeHealthTests
{
    [Fact]
    public async Task A_node_that_comes_up_as_it_goes_down_has_a_closed_circuit()
    {
        // The recovery is held in its last moment, where it finds a node that has gone down again meanwhile and goes on with it.
        using var rig = new ConnectionRig(start: false);
        using var stop = new CancellationTokenSource();
        var circuit = new SlowCircuit();
        var events = new Events(rig.Connection);
        var health = new NodeHealth(circuit, events, rig.Time, stop.Token);
        health.MarkDown("first", static () => false);
        await Eventually.True(
            () =>
            {
                // By another thread: who moves the clock may be held with what falls due.
                _ = Task.Run(() => rig.Time.Advance(TimeSpan.FromMilliseconds(10)));
                return events.IsHeld;
            },
            "the recovery has marked the node up");
        circuit.Tripping = () =>
        {
            events.Release();

            // However long it takes: nobody finds the node down and its circuit not open yet.
            SpinWait.SpinUntil(
                () =>
                {
                    rig.Time.Advance(TimeSpan.FromMilliseconds(10));
                    return events.TimesUp == 2;
                },
                TimeSpan.FromMilliseconds(200));
        };
        health.MarkDown("second", static () => false);
        await Eventually.True(
            () =>
            {
                rig.Time.Advance(TimeSpan.FromMilliseconds(10));
                return events.TimesUp == 2;
            },
            "the node is up again");
        Assert.Equal(MemcachedNodeState.Up, health.State);
        Assert.False(circuit.IsOpen, "the circuit is open and the node is up: whatever becomes of its requests is not judged any more");
        await stop.CancelAsync();
    }

    private sealed class SlowCircuit : ICircuit
    {
        private volatile bool _isOpen;

        public bool IsOpen => _isOpen;

        public Action? Tripping { get; set; }

        public TimeSpan UntilProbe => TimeSpan.Zero;

        public bool Report(long answered, long failed) => false;

        public void Trip()
        {
            Tripping?.Invoke();
            _isOpen = true;
        }

        public async Task<bool> ProbeAsync(Func<CancellationToken, ValueTask<bool>> probe, CancellationToken cancellationToken)
        {
            bool isWell = await probe(cancellationToken);
            _isOpen = !isWell;
            return isWell;
        }
    }

    private sealed class Events(Connection connection) : INodeHealthEvents
    {
        private readonly TaskCompletionSource _released = new();
        private int _timesUp;

        public int TimesUp => Volatile.Read(ref _timesUp);

        public bool IsHeld => TimesUp == 1;

        public void Release() => _released.TrySetResult();

        public void OnGoingDown()
        {
        }

        public void OnComingUp()
        {
        }

        public void OnDown(string reason)
        {
        }

        public void OnConnected(bool isNews)
        {
            if (Interlocked.Increment(ref _timesUp) == 1)
            {
                Assert.True(_released.Task.Wait(Eventually.Limit));
            }
        }

        public ValueTask<Connection?> ProbeAsync(CancellationToken cancellationToken) => ValueTask.FromResult<Connection?>(connection);
    }
}
