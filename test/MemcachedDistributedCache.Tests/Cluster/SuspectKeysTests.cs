using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class SuspectKeysTests
{
    [Fact]
    public void AKeyIsSuspectUntilItsNewestSuspicionEnds()
    {
        var suspects = new SuspectKeys(10, new ItemTrust());
        Assert.True(suspects.IsEmpty);
        suspects.Add("a"u8, mayStillHappen: true);
        KeyValuePair<byte[], SuspectKeys.Suspicion> first = Assert.Single(suspects.Snapshot());
        suspects.Add("a"u8, mayStillHappen: false);
        Assert.False(suspects.Clear(first)); // a newer write has failed meanwhile
        Assert.True(suspects.Contains("a"u8));
        Assert.False(suspects.Contains("b"u8));
        KeyValuePair<byte[], SuspectKeys.Suspicion> second = Assert.Single(suspects.Snapshot());
        Assert.True(second.Value.MayStillHappen); // the older one was sent, and may yet be done
        Assert.True(suspects.Clear(second));
        Assert.False(suspects.Clear(second));
        Assert.True(suspects.IsEmpty);
        Assert.Equal(0, suspects.Count);
    }

    [Fact]
    public void OneKeyTooManyMakesAllSuspect()
    {
        var suspects = new SuspectKeys(2, new ItemTrust());
        Assert.False(suspects.Add("a"u8, false));
        Assert.False(suspects.Add("b"u8, false));
        Assert.False(suspects.Add("b"u8, false)); // known already
        Assert.False(suspects.DistrustsAll);
        Assert.True(suspects.Add("c"u8, false)); // told once
        Assert.False(suspects.Add("d"u8, false));
        Assert.True(suspects.Contains("never written"u8));
        Assert.False(suspects.IsEmpty);
    }

    [Fact]
    public void AFloorNeedsAPauseOnlyWhereRequestsMayBeOnTheirWay()
    {
        var suspects = new SuspectKeys(2, new ItemTrust());
        suspects.DistrustAll(needsGrace: false);
        Assert.False(suspects.BeginAnew());
        suspects.Add("a"u8, true);
        suspects.DistrustAll(needsGrace: false);
        Assert.True(suspects.BeginAnew()); // for a key that is forgotten
        suspects.DistrustAll(needsGrace: false);
        suspects.Add("b"u8, true);
        Assert.True(suspects.BeginAnew()); // for one that was not even remembered
        suspects.DistrustAll();
        suspects.DistrustAll(needsGrace: false);
        Assert.True(suspects.BeginAnew());
        Assert.False(suspects.BeginAnew());
        foreach (string key in (string[])["c", "d", "e"])
        {
            suspects.Add(System.Text.Encoding.ASCII.GetBytes(key), false);
        }

        Assert.True(suspects.BeginAnew());
    }

    [Fact]
    public void WhatFailsWhileTheFloorIsFoundIsNotForgotten()
    {
        var suspects = new SuspectKeys(2, new ItemTrust());
        foreach (string key in (string[])["a", "b", "c"])
        {
            suspects.Add(System.Text.Encoding.ASCII.GetBytes(key), false);
        }

        suspects.BeginAnew();
        Assert.True(suspects.Contains("a"u8)); // everything is, yet
        suspects.Add("d"u8, false);
        Assert.True(suspects.TryTrustAgain(1));
        Assert.False(suspects.Contains("a"u8));
        Assert.True(suspects.Contains("d"u8));

        suspects.Add("e"u8, false);
        suspects.Add("f"u8, false);
        suspects.BeginAnew();
        foreach (string key in (string[])["g", "h", "i"])
        {
            suspects.Add(System.Text.Encoding.ASCII.GetBytes(key), false);
        }

        Assert.False(suspects.TryTrustAgain(1)); // too many again
        Assert.True(suspects.DistrustsAll);
    }
}
