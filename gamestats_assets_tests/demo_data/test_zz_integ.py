import random
from datetime import date, timedelta
from pathlib import Path
import dagster as dg, polars as pl, pytest
from dagster_duckdb import DuckDBResource
from pydantic import SecretStr
from gamestats_assets.cli import known, pending
from gamestats_assets.cli.session import Session
from gamestats_assets.demo_data import tables as t, checks
from gamestats_assets.demo_data.log_landing import land_logs
from gamestats_assets.demo_data.log_records import decode_batches
from gamestats_assets.demo_data.activity import user_days
from gamestats_assets.demo_data.funnel_progress import funnel_progress, funnel_steps
from gamestats_assets.demo_data.payments import payments
from gamestats_assets.demo_data.profiles import user_profiles
from gamestats_assets.demo_data.sessions import sessions
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.postgres import read_published
from gamestats_assets.orchestration.assets import landed_tables, publication, sql_asset, table_asset, upstream_of
from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import table_checks, evaluate
from gamestats_assets.orchestration.io_manager import lake_io_manager
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import partitions_of
from gamestats_assets.settings import Settings
from gamestats_assets_tests.demo_data.log_scenario import MODELS, KNOWN, LOGGED, model, product, lines, record, rows

def test_all(tmp_path, fresh_database, monkeypatch):
    r=random.Random(3)
    logs=tmp_path/"logs"; logs.mkdir()
    for d in range(4):
        recs=[]
        for n in range(300):
            u=r.randrange(40)
            name=r.choice(["start","view","purchase"])
            recs.append(record(f"{r.randrange(24):02d}:{r.randrange(60):02d}:{r.randrange(60):02d}",name=name,day=d,uuid=f"{d}-{n}",account_id=f"a{u}" if r.random()<.7 else None,distinct_id=f"d{u}",properties={"price":r.randrange(1000)/100} if name=="purchase" else {"level":r.randrange(9)}))
        recs+= [record("12:00:00",type="user_add",day=d,uuid=f"o{d}",properties={"gold":1}), b"{cut"]
        (logs/f"{date(2026,1,10)+timedelta(days=d)}.jsonl").write_bytes(lines(*recs))
    stores=Stores(Settings(data=str(tmp_path/"data"), postgres_url=SecretStr(fresh_database), workers=1))
    land_logs([logs],"shop",stores.landing)
    for m in (known,pending): monkeypatch.setattr(m,"declared_tables",lambda: tuple(x for x in t.ALL if x not in (t.DemoRules,t.DemoUsers)))
    @dg.asset(key=asset_key(t.Products)) 
    def products() -> None: ...
    @dg.asset(key=asset_key(t.DemoTaxonomy),partitions_def=partitions_of(t.DemoTaxonomy)) 
    def taxo() -> None: ...
    stores.lake.replace(t.Products, product(funnels='[["start","view","purchase"]]'), partitions=None)
    stores.lake.replace(t.DemoTaxonomy, rows(t.DemoTaxonomy,{"scope":"event","event_name":"start","property":"","property_type":None}), partitions=["shop"])
    made=[landed_tables(list(LOGGED), lambda l,b,w: decode_batches(l,b,workers=w)),
      *(table_asset(f,jointly=True) for f in (sessions,payments,user_days,funnel_progress)),
      table_asset(funnel_steps), table_asset(user_profiles),
      *(sql_asset(x,model(x),KNOWN) for x in MODELS)]
    pub=[publication(x,checks.ALL,upstream_of(x,made,KNOWN)) for x in t.ALL if x.spec.published]
    defs=dg.Definitions(assets=[products,taxo,*made,*pub], asset_checks=[table_checks(x,[c for c in checks.ALL if c.table is x]) for x in dict.fromkeys(c.table for c in checks.ALL)],
      resources={"stores":dg.ResourceDefinition.hardcoded_resource(stores),"lake":lake_io_manager({asset_key(x):x for x in t.ALL}),"duckdb":DuckDBResource(database=":memory:")}, executor=dg.in_process_executor)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("product",["shop"])
        s=Session(defs,instance,stores)
        sel=dg.AssetSelection.all()-dg.AssetSelection.assets(asset_key(t.Products),asset_key(t.DemoTaxonomy))
        out=list(s.follow(sel))
        for o in out: print(o.success, str(o)[:300])
        for x in t.ALL:
            st=stores.lake.state(x)
            print(x.__name__, None if st is None else stores.lake.scan(x).select(pl.len()).collect().item())
        for c in checks.ALL:
            b=evaluate(c,stores.lake,None)
            if b.height: print(c.name,b.height,b.row(0))
        from gamestats_assets.lakehouse.quality import quarantine_of
        print(stores.lake.scan(quarantine_of("demo_data")).collect())
        for x in t.ALL:
            if x.spec.published: print(x.__name__, read_published(fresh_database,x).height if 'read_published' in globals() else '')
        assert all(o.success for o in out)
